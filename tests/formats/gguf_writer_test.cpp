// What the writer writes, byte by byte and as the reader sees it, and what it refuses.
#include "formats/gguf_writer.h"

#include "formats/gguf.h"
#include "tests/formats/gguf_support.h"

#include <map>

namespace handloom::formats {
namespace {

std::vector<std::byte> ramp(size_t n_bytes, size_t start) {
  std::vector<std::byte> bytes(n_bytes);
  for (size_t i = 0; i < n_bytes; ++i) bytes[i] = static_cast<std::byte>((i + start) * 37);
  return bytes;
}

const GgufFields kFields = {{"general.architecture", std::string("llama")}};

/// Bytes for `tensors` by formula, counted in `asked`.
GgufTensorBytes ramps(const std::vector<GgufTensor>& tensors, std::vector<size_t>& asked) {
  return [&](size_t i) -> Result<std::vector<std::byte>> {
    asked.push_back(i);
    const auto dims = tensors[i].shape.dims();
    const std::vector<uint64_t> wide(dims.begin(), dims.end());
    return ramp(tensor_bytes(tensors[i].dtype, wide).value(), i);
  };
}

TEST(GgufWriter, WritesTheFormatByteByByte) {
  const TempFolder folder;
  const GgufFields fields = {{"general.architecture", std::string("x")},
                             {"n", 7u},
                             {"y", 0.5f},
                             {"z", std::vector<bool>{true, false}}};
  const std::vector<GgufTensor> tensors = {{"t", DType::f16, {2, 3}}, {"u", DType::f32, {1}}};
  std::vector<size_t> asked;
  ASSERT_DONE(write_gguf(folder / "m.gguf", fields, tensors, ramps(tensors, asked)));
  const auto text = [](const std::vector<std::byte>& bytes) {
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  GgufFile expected;
  expected.text("general.architecture", "x").u32("n", 7).f32("y", 0.5f);
  expected.array("z", 7, 2, std::string("\1\0", 2));
  expected.tensor("t", 1, {3, 2}, text(ramp(12, 0))).tensor("u", 0, {1}, text(ramp(4, 1)));
  expected.data.resize(64, '\0');
  ASSERT_OK(const std::string written, read_text_file(folder / "m.gguf"));
  EXPECT_EQ(written, expected.bytes());
  EXPECT_EQ(asked, (std::vector<size_t>{0, 1}));
  EXPECT_FALSE(file_exists(folder / "m.gguf.partial"));
}

TEST(GgufWriter, RoundTripsEveryFieldAndTensorType) {
  const TempFolder folder;
  GgufFields fields = kFields;
  fields["floats"] = std::vector<float>{1.5f, -2.0f};
  fields["ints"] = std::vector<int32_t>{1, 5};
  fields["strings"] = std::vector<std::string>{"", "a b"};
  fields["none"] = std::vector<std::string>{};
  fields["false"] = false;
  std::vector<GgufTensor> tensors;
  for (const DType dtype : kDTypes) {
    if (find_ggml_type(dtype) == nullptr) continue;
    const uint32_t row = 2 * block_size(dtype).values;
    tensors.push_back({std::string("t.") + std::string(to_string(dtype)), dtype, {3, row}});
  }
  ASSERT_EQ(tensors.size(), 18u);
  std::vector<size_t> asked;
  ASSERT_DONE(write_gguf(folder / "m.gguf", fields, tensors, ramps(tensors, asked)));

  ASSERT_OK(const Gguf gguf, Gguf::open(folder / "m.gguf"));
  const GgufMetadata& m = gguf.metadata();
  EXPECT_EQ(m.find_floats("floats").value(), (std::vector<float>{1.5f, -2.0f}));
  EXPECT_EQ(m.find_u32s("ints").value(), (std::vector<uint32_t>{1, 5}));
  EXPECT_EQ(m.find_strings("strings").value(), (std::vector<std::string>{"", "a b"}));
  EXPECT_EQ(m.find("none")->count, 0u);
  EXPECT_EQ(m.find_bool("false").value(), false);
  EXPECT_EQ(m.find_u32("general.quantization_version").value(), 2u);
  for (size_t i = 0; i < tensors.size(); ++i) {
    SCOPED_TRACE(tensors[i].name);
    ASSERT_OK(const TensorInfo* read, gguf.checkpoint().get(tensors[i].name));
    EXPECT_EQ(read->dtype, tensors[i].dtype);
    EXPECT_EQ(read->shape, tensors[i].shape);
    EXPECT_TRUE(std::ranges::equal(read->bytes, ramp(read->bytes.size(), i)));
  }
}

TEST(GgufWriter, StatesNoQuantisationWhereThereIsNone) {
  const TempFolder folder;
  ASSERT_DONE(write_gguf(folder / "m.gguf", kFields, {}, nullptr));
  ASSERT_OK(const Gguf gguf, Gguf::open(folder / "m.gguf"));
  EXPECT_FALSE(gguf.metadata().has("general.quantization_version"));
  EXPECT_TRUE(gguf.checkpoint().tensors().empty());
}

TEST(GgufWriter, RefusesWhatAFileCannotHold) {
  const TempFolder folder;
  const auto refused = [&](const GgufFields& fields, const std::vector<GgufTensor>& tensors,
                           std::string_view fragment) {
    const auto four = [](size_t) -> Result<std::vector<std::byte>> { return ramp(4, 0); };
    expect_error(write_gguf(folder / "m.gguf", fields, tensors, four), ErrorCode::invalid_argument,
                 {"m.gguf: ", fragment});
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  };
  GgufFields aligned = kFields;
  aligned["general.alignment"] = 64u;
  refused({}, {}, "expected metadata with 'general.architecture'");
  refused(aligned, {}, "without 'general.alignment'");
  refused({{"\xff", 1u}}, {}, "metadata key");
  refused(kFields, {{"t", DType::f32, {1}}, {"t", DType::f32, {1}}}, "tensor 't': is there twice");
  refused(kFields, {{std::string(64, 'n'), DType::f32, {1}}}, "has a name of 64 bytes");
  refused(kFields, {{"t", DType::mlc_q4, {8}}}, "has type mlc_q4, expected one that GGUF has (F32");
  refused(kFields, {{"t", DType::q4_0, {2, 31}}}, "has shape [2, 31], expected rows of whole q4_0");
  refused(kFields, {{"t", DType::f32, {2}}}, "tensor 't' has 4 bytes, expected 8 for f32 [2]");
}

TEST(GgufWriter, LeavesNothingWhereATensorFailsAndAnOldFileAsItWas) {
  const TempFolder folder;
  folder.write("m.gguf", "old");
  const std::vector<GgufTensor> tensors = {{"a", DType::f32, {1}}, {"b", DType::f32, {1}}};
  const auto second_fails = [](size_t i) -> Result<std::vector<std::byte>> {
    if (i == 1) return fail(ErrorCode::io, "no more");
    return ramp(4, 0);
  };
  expect_error(write_gguf(folder / "m.gguf", kFields, tensors, second_fails), ErrorCode::io,
               {"no more"});
  EXPECT_FALSE(file_exists(folder / "m.gguf.partial"));
  EXPECT_EQ(read_text_file(folder / "m.gguf").value(), "old");
  expect_error(write_gguf(folder / "none/m.gguf", kFields, {}, nullptr), ErrorCode::not_found,
               {"none/m.gguf: cannot write"});
}

}  // namespace
}  // namespace handloom::formats
