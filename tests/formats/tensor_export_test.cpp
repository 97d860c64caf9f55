// Tensors written and read again, and widened.
#include "formats/safetensors.h"

#include "tests/formats/support.h"

#include <bit>
#include <cmath>

namespace handloom::formats {
namespace {

/// `count` bytes that differ from tensor to tensor.
std::string ramp(size_t count, char first) {
  std::string bytes(count, '\0');
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>(first + 37 * i);
  return bytes;
}

TEST(WriteSafetensors, RoundTripsEveryTypeAndRank) {
  const TempFolder folder;
  struct Source {
    DType dtype;
    Shape shape;
    std::string bytes;
  };
  const std::vector<Source> sources = {
      {DType::u8, {3}, ramp(3, 1)},
      {DType::f32, {2, 1}, ramp(8, 2)},
      {DType::f16, {1, 1, 3}, ramp(6, 3)},
      {DType::bf16, {1, 2, 1, 2}, ramp(8, 4)},
      {DType::i64, {1}, ramp(8, 5)},
      {DType::i32, {}, ramp(4, 6)},
      {DType::u32, {0, 7}, ""},
  };
  std::vector<TensorInfo> tensors;
  for (const auto& [dtype, shape, bytes] : sources) {
    tensors.push_back({"t." + std::string(to_string(dtype)), dtype, shape, as_bytes(bytes)});
  }
  const std::string path = folder / "out.safetensors";
  ASSERT_DONE(write_safetensors(path, tensors, {{"made by", "t\u00e9st"}}));
  ASSERT_OK(const Checkpoint checkpoint, open_safetensors(path));
  ASSERT_EQ(checkpoint.tensors().size(), tensors.size());
  for (const TensorInfo& tensor : tensors) {
    ASSERT_OK(const TensorInfo* back, checkpoint.get(tensor.name));
    EXPECT_EQ(back->dtype, tensor.dtype);
    EXPECT_EQ(back->shape, tensor.shape);
    EXPECT_TRUE(std::ranges::equal(back->bytes, tensor.bytes)) << tensor.name;
    const auto address = reinterpret_cast<uintptr_t>(back->bytes.data());
    EXPECT_EQ(address % dtype_bytes(tensor.dtype), 0u) << tensor.name;
  }
  EXPECT_FALSE(file_exists(path + ".partial"));
  ASSERT_OK(const std::string text, read_text_file(path));
  EXPECT_NE(text.find(R"("__metadata__":{"made by":"té)"), std::string::npos);
}

TEST(WriteSafetensors, CopiesARealModelExactly) {
  const TempFolder folder;
  ASSERT_OK(const Checkpoint model, open_safetensors(HANDLOOM_GOLDEN_DIR "/llama3.2"));
  ASSERT_DONE(write_safetensors(folder / "model.safetensors", model.tensors()));
  ASSERT_OK(const Checkpoint copy, open_safetensors(folder.path()));
  ASSERT_EQ(copy.tensors().size(), model.tensors().size());
  for (size_t i = 0; i < copy.tensors().size(); ++i) {
    EXPECT_EQ(copy.tensors()[i].name, model.tensors()[i].name);
    EXPECT_TRUE(std::ranges::equal(copy.tensors()[i].bytes, model.tensors()[i].bytes));
  }
}

TEST(WriteSafetensors, RefusesWhatItCouldNotReadAgain) {
  const TempFolder folder;
  const std::string path = folder / "out.safetensors", four = "1234";
  const auto tensor = [&](std::string name, Shape shape = {4}) {
    return TensorInfo{std::move(name), DType::u8, shape, as_bytes(four)};
  };
  constexpr auto invalid = ErrorCode::invalid_argument;
  const auto write = [&](std::vector<TensorInfo> tensors,
                         const std::map<std::string, std::string>& metadata = {}) {
    return write_safetensors(path, tensors, metadata);
  };
  expect_error(write({tensor("a"), tensor("a")}), invalid, {"tensor name 'a' is taken"});
  expect_error(write({tensor("__metadata__")}), invalid, {"'__metadata__' is taken"});
  expect_error(write({tensor("a\xff")}), invalid, {"tensor name", "is not UTF-8"});
  expect_error(write({tensor("a", {5})}), invalid, {"'a': has 4 bytes, expected 5 for u8 [5]"});
  expect_error(write({tensor("a", {~0u, ~0u, ~0u})}), invalid, {"more than any memory"});
  expect_error(write({}, {{"\xff", ""}}), invalid, {"metadata key", "is not UTF-8"});
  expect_error(write({}, {{"k", "\xff"}}), invalid, {"metadata text", "is not UTF-8"});
  EXPECT_FALSE(file_exists(path));
  expect_error(write_safetensors(folder / "no/such/folder", {}), ErrorCode::not_found, {"no/such"});
}

TEST(WriteNpy, HasTheDocumentedBytes) {
  const TempFolder folder;
  struct Case {
    DType dtype;
    Shape shape;
    std::string_view dict;
  };
  for (const auto& [dtype, shape, dict] : {
           Case{DType::f32, {2, 3}, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"},
           Case{DType::f16, {12}, "{'descr': '<f2', 'fortran_order': False, 'shape': (12,), }"},
           Case{DType::u8,
                {1, 2, 3, 4},
                "'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 3, 4)"},
           Case{DType::i64, {}, "{'descr': '<i8', 'fortran_order': False, 'shape': (), }"},
           Case{DType::i32, {0}, "'<i4'"},
           Case{DType::u32, {1}, "'<u4'"},
       }) {
    const std::string bytes = ramp(shape.count() * dtype_bytes(dtype), 9);
    ASSERT_DONE(write_npy(folder / "x.npy", {"x", dtype, shape, as_bytes(bytes)}));
    ASSERT_OK(const std::string file, read_text_file(folder / "x.npy"));
    ASSERT_GT(file.size(), 10u);
    EXPECT_EQ(file.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
    const size_t data = 10 + static_cast<unsigned char>(file[8]) +
                        256 * static_cast<size_t>(static_cast<unsigned char>(file[9]));
    EXPECT_EQ(data % 64, 0u);
    EXPECT_EQ(file[data - 1], '\n');
    EXPECT_NE(file.find(dict), std::string::npos) << file.substr(10, data - 10);
    EXPECT_EQ(file.substr(data), bytes);
  }
}

TEST(WriteNpy, WidensBf16AndRefusesContradictions) {
  const TempFolder folder;
  const uint16_t bits[] = {0x3fc0, 0xc000};  // 1.5, -2
  const TensorInfo tensor{"x", DType::bf16, {2}, std::as_bytes(std::span(bits))};
  ASSERT_DONE(write_npy(folder / "x.npy", tensor));
  ASSERT_OK(const std::string file, read_text_file(folder / "x.npy"));
  ASSERT_EQ(file.size() % 64, 8u);
  float values[2];
  std::memcpy(values, file.data() + file.size() - 8, 8);
  EXPECT_EQ(values[0], 1.5f);
  EXPECT_EQ(values[1], -2.0f);
  EXPECT_NE(file.find("'<f4'"), std::string::npos);
  expect_error(write_npy(folder / "y.npy", {"y", DType::f32, {2}, tensor.bytes}),
               ErrorCode::invalid_argument, {"'y': has 4 bytes, expected 8 for f32 [2]"});
  EXPECT_FALSE(file_exists(folder / "y.npy"));
}

TEST(ToF32, IsExactForEveryHalf) {
  std::vector<uint16_t> bits(65536);
  for (uint32_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<uint16_t>(i);
  const auto bytes = std::as_bytes(std::span(bits));
  ASSERT_OK(const auto f16, to_f32({"x", DType::f16, {65536}, bytes}));
  ASSERT_OK(const auto bf16, to_f32({"x", DType::bf16, {65536}, bytes}));
  for (uint32_t i = 0; i < bits.size(); ++i) {
    EXPECT_EQ(std::bit_cast<uint32_t>(bf16[i]), i << 16);
    const int exponent = static_cast<int>(i >> 10 & 31), mantissa = static_cast<int>(i & 1023);
    if (exponent == 31) continue;
    const float magnitude = exponent == 0
                                ? std::ldexp(static_cast<float>(mantissa), -24)
                                : std::ldexp(static_cast<float>(1024 + mantissa), exponent - 25);
    ASSERT_EQ(f16[i], i >> 15 ? -magnitude : magnitude) << i;
  }
}

}  // namespace
}  // namespace handloom::formats
