// One file's bytes: what is read, and every way in which a file is refused.
#include "formats/safetensors.h"

#include "tests/formats/support.h"

#include <fmt/format.h>

namespace handloom::formats {
namespace {

Result<Checkpoint> parse(std::string_view file) { return parse_safetensors(as_bytes(file), "f"); }

/// A header of one tensor 'a'.
std::string entry(std::string_view dtype, std::string_view shape, std::string_view offsets) {
  return fmt::format(R"({{"a":{{"dtype":"{}","shape":{},"data_offsets":{}}}}})", dtype, shape,
                     offsets);
}

TEST(Safetensors, ReadsTensorsAtAnyAlignment) {
  // The three bytes of 'u' leave the floats of 'x' misaligned, which the format allows.
  const std::string header =
      R"({"__metadata__":{"format":"pt"},)"
      R"("x":{"dtype":"F32","shape":[2,1],"data_offsets":[3,11]},)"
      R"("u":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
      R"("none":{"dtype":"I64","shape":[0,4294967295,4294967295,4294967295],"data_offsets":[11,11]},)"
      R"("scalar":{"dtype":"I32","shape":[],"data_offsets":[11,15]}}  )";
  std::string data = "abc";
  const float values[] = {1.5f, -2.0f};
  data.append(reinterpret_cast<const char*>(values), 8).append(4, '\x01');
  const std::string file = safetensors_file(header, data);
  ASSERT_OK(const Checkpoint checkpoint, parse(file));

  ASSERT_EQ(checkpoint.tensors().size(), 4u);
  EXPECT_EQ(checkpoint.tensors()[0].name, "none");
  EXPECT_EQ(checkpoint.tensors()[3].name, "x");
  EXPECT_EQ(checkpoint.where(), "f");
  EXPECT_EQ(checkpoint.find("none")->bytes.size(), 0u);
  EXPECT_EQ(checkpoint.find("scalar")->shape, Shape());
  EXPECT_EQ(checkpoint.find("scalar")->dtype, DType::i32);
  EXPECT_EQ(checkpoint.find("u")->bytes[1], std::byte{'b'});
  ASSERT_OK(const std::vector<float> x, to_f32(*checkpoint.find("x")));
  EXPECT_EQ(x, std::vector<float>({1.5f, -2.0f}));
}

TEST(Safetensors, AcceptsAFileWithoutTensors) {
  const std::string file = safetensors_file("{}", "");
  ASSERT_OK(const Checkpoint checkpoint, parse(file));
  EXPECT_TRUE(checkpoint.tensors().empty());
  expect_error(checkpoint.get("a"), ErrorCode::not_found, {"f: has no tensor 'a' among its 0"});
}

TEST(Safetensors, MissingTensorNamesTheNearest) {
  const std::string file = safetensors_file(entry("U8", "[1]", "[0,1]"), "x");
  std::string renamed = file;
  renamed.replace(renamed.find("\"a\""), 3, "\"q_proj.weight\"");
  renamed = safetensors_file(renamed.substr(8, renamed.size() - 9), "x");
  ASSERT_OK(const Checkpoint checkpoint, parse(renamed));
  EXPECT_NE(checkpoint.find("q_proj.weight"), nullptr);
  EXPECT_EQ(checkpoint.find("q_proj.weigh"), nullptr);
  EXPECT_EQ(checkpoint.find(""), nullptr);
  expect_error(checkpoint.get("q_proj.wieght"), ErrorCode::not_found,
               {"'q_proj.wieght'", "is 'q_proj.weight' meant?"});
  const auto unrelated = checkpoint.get("lm_head.bias");
  expect_error(unrelated, ErrorCode::not_found, {"'lm_head.bias'"});
  EXPECT_EQ(unrelated.error().message.find("meant"), std::string::npos);
}

struct Refusal {
  std::string file;
  ErrorCode code;
  std::string fragment;
};

void expect_refusals(const std::vector<Refusal>& refusals) {
  for (const auto& [file, code, fragment] : refusals) {
    SCOPED_TRACE(fragment);
    // A copy of exact size, so that the address sanitizer sees any read past the end.
    const std::vector<char> exact(file.begin(), file.end());
    expect_error(parse_safetensors(std::as_bytes(std::span(exact)), "f"), code, {"f", fragment});
  }
}

TEST(Safetensors, RefusesWhatIsNoSafetensorsFile) {
  constexpr auto bad = ErrorCode::bad_format, other = ErrorCode::unsupported;
  using namespace std::string_literals;
  const std::string tail(64, '\x05');
  expect_refusals({
      {"", bad, "is 0 bytes long"},
      {"1234567", bad, "is 7 bytes long"},
      {safetensors_file("{}", "", 100'000'001), bad, "100000001 bytes, expected at most 100000000"},
      {safetensors_file("{}", "", ~0ull), bad, "18446744073709551615 bytes, expected at most"},
      {safetensors_file("{}", "", 3), bad, "is 10 bytes, the header alone promises 11"},
      {"GGUF\x03\0\0\0"s + tail, other, "a GGUF file"},
      {"PK\x03\x04\0\0\x08\x08"s + tail, other, "zip archive"},
      {"\x80\x02\x8a\x0al\xfc\x9c\x46"s + tail, other, "Python pickle"},
      {"version https://git-lfs.github.com/spec/v1\n"s, other, "git-lfs pointer"},
      {"{\"metadata\": {}}"s, other, "begins like JSON"},
      {"<!DOCTYPE html>"s, other, "begins like HTML"},
      {"\x93NUMPY\x01\x00\x76\x00"s + tail, other, "a NumPy array"},
  });
}

TEST(Safetensors, RefusesMalformedHeaders) {
  constexpr auto bad = ErrorCode::bad_format, other = ErrorCode::unsupported;
  const auto file = [](std::string_view header) { return safetensors_file(header, "1234"); };
  const auto tensor = [&](std::string_view value) {
    return file(fmt::format(R"({{"a":{}}})", value));
  };
  expect_refusals({
      {file(""), bad, "header: is not valid JSON (0 bytes)"},
      {file("{\"a\":"), bad, "header: is not valid JSON (5 bytes)"},
      {file("{\"a\":\"\xff\"}"), bad, "is not valid JSON"},
      {file("[1]"), bad, "header: is an array of 1, expected an object"},
      {file("null"), bad, "header: is null, expected an object"},
      {file(R"({"__metadata__":3})"), bad, "'__metadata__': is 3, expected an object"},
      {file(R"({"__metadata__":{"k":1}})"), bad, "'k' is 1, expected a string"},
      {tensor("7"), bad, "tensor 'a': is 7, expected an object"},
      {tensor("{}"), bad, "tensor 'a': 'dtype' is missing"},
      {tensor(R"({"dtype":1})"), bad, "'dtype' is 1, expected a string"},
      {tensor(R"({"dtype":"U8"})"), bad, "'shape' is missing"},
      {tensor(R"({"dtype":"U8","shape":4})"), bad, "'shape' is 4, expected an array"},
      {tensor(R"({"dtype":"U8","shape":[4]})"), bad, "'data_offsets' is missing"},
      {file(entry("U8", "[-1]", "[0,4]")), bad, "'shape' holds -1, expected whole numbers"},
      {file(entry("U8", "[4.0]", "[0,4]")), bad, "'shape' holds 4.0"},
      {file(entry("U8", "[\"4\"]", "[0,4]")), bad, "'shape' holds \"4\""},
      {file(entry("U8", "[4]", "[0]")), bad, "'data_offsets' has 1 numbers, expected 2"},
      {file(entry("U8", "[4]", "[0,4,4]")), bad, "'data_offsets' has 3 numbers, expected 2"},
      {file(entry("U8", "[4]", "[0,-4]")), bad, "'data_offsets' holds -4"},
      {file(entry("F64", "[4]", "[0,4]")), other, "has type F64, which is not supported"},
      {file(entry("F8_E4M3", "[4]", "[0,4]")), other,
       "F8_E4M3, which is not supported (supported: F32, F16, BF16, I64, I32, U32, U8, I8)"},
      {file(entry("BOOL", "[4]", "[0,4]")), other, "has type BOOL"},
      {file(entry("I16", "[4]", "[0,8]")), other, "has type I16"},
      {file(entry("f32", "[1]", "[0,4]")), other, "has type f32"},
      {file(entry("U8", "[1,1,1,1,4]", "[0,4]")), other, "has 5 dimensions, expected at most 4"},
      {file(entry("U8", "[4294967296]", "[0,4]")), other,
       "a dimension of 4294967296, expected at most 4294967295"},
      {file(entry("U8", "[18446744073709551616]", "[0,4]")), bad, "'shape' holds 1.84467"},
  });
}

TEST(Safetensors, RefusesLayoutsThatContradictThemselvesOrTheFile) {
  constexpr auto bad = ErrorCode::bad_format;
  const auto file = [](std::string_view header) { return safetensors_file(header, "1234"); };
  const auto two = [&](std::string_view first, std::string_view second) {
    const auto size = [](std::string_view range) { return range[3] - range[1]; };
    return file(fmt::format(R"({{"a":{{"dtype":"U8","shape":[{}],"data_offsets":{}}},)"
                            R"("b":{{"dtype":"U8","shape":[{}],"data_offsets":{}}}}})",
                            size(first), first, size(second), second));
  };
  const std::string huge = "[4294967295,4294967295,4294967295,4294967295]";
  expect_refusals({
      {file(entry("U8", "[4]", "[4,0]")), bad, "'data_offsets' are [4, 0]"},
      {file(entry("U8", "[4]", "[0,9223372036854775808]")), bad, "[0, 9223372036854775808]"},
      {file(entry("U8", huge, "[0,4]")), bad, "is larger than any file"},
      {file(entry("I64", "[4294967295,536870912]", "[0,4]")), bad, "is larger than any file"},
      {file(entry("F32", "[2]", "[0,4]")), bad, "has 4 bytes, expected 8 for f32 [2]"},
      {file(entry("U8", "[0]", "[0,4]")), bad, "has 4 bytes, expected 0 for u8 [0]"},
      {file(entry("F32", "[2]", "[0,8]")), bad, "the file is cut short"},
      {file(entry("U8", "[3]", "[0,3]")), bad, "1 bytes at the end belong to no tensor"},
      {file("{}"), bad, "is 14 bytes, the header promises 10; 4 bytes at the end"},
      {two("[0,3]", "[2,4]"), bad, "tensor 'b' begins at 2, inside tensor 'a', which ends at 3"},
      {two("[0,4]", "[0,4]"), bad, "tensor 'b' begins at 0, inside tensor 'a', which ends at 4"},
      {two("[0,4]", "[2,2]"), bad, "tensor 'b' begins at 2, inside tensor 'a', which ends at 4"},
      {two("[0,1]", "[2,4]"), bad, "tensor 'b' begins at 2, expected 1; the format forbids holes"},
      {two("[1,2]", "[2,4]"), bad, "tensor 'a' begins at 1, expected 0; the format forbids holes"},
      {two("[0,4]", "[6,8]"), bad, "tensor 'b' begins at 6, expected 4"},
      // A doubled name: JSON keeps the last one, and the first leaves a hole.
      {file(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
            R"("a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})"),
       bad, "tensor 'a' begins at 2, expected 0"},
  });
}

TEST(Safetensors, ErrorsStayOneShortLine) {
  const std::string name = "line\\nbreak" + std::string(5000, 'n');
  const std::string file = safetensors_file(fmt::format(R"({{"{}":1}})", name), "");
  expect_error(parse(file), ErrorCode::bad_format, {"'line?breaknnn", "nnn...'", "is 1"});
}

/// Every prefix of `bytes` that ends in the header, and 2,000 that end in the data, is refused.
void expect_no_prefix_parses(std::span<const std::byte> bytes) {
  ASSERT_TRUE(parse_safetensors(bytes, "f").has_value());
  uint64_t header_length = 0;
  std::memcpy(&header_length, bytes.data(), 8);
  const size_t data_begin = 8 + header_length;
  const size_t step = (bytes.size() - data_begin) / 2000 + 1;
  const auto expect_refused = [&](size_t size) {
    const auto prefix = bytes.first(size);
    // Copied only while that is cheap: the exact end matters while the header is read.
    const std::vector<std::byte> exact(prefix.begin(), prefix.begin() + std::min(size, data_begin));
    const auto result = parse_safetensors(size < data_begin ? std::span(exact) : prefix, "f");
    expect_error(result, ErrorCode::bad_format, {"f: is ", "bytes"});
  };
  for (size_t size = 0; size < data_begin; ++size) expect_refused(size);
  for (size_t size = data_begin; size < bytes.size(); size += step) expect_refused(size);
  expect_refused(bytes.size() - 1);
}

TEST(Safetensors, RefusesEveryTruncationOfARealFile) {
  for (const std::string model : {"llama2", "llama3.2"}) {
    ASSERT_OK(const MappedFile file,
              MappedFile::open(HANDLOOM_GOLDEN_DIR "/" + model + "/model.safetensors"));
    expect_no_prefix_parses(file.bytes());
  }
}

/// Any header byte changed: an error or a checkpoint whose tensors lie inside the file.
TEST(Safetensors, SurvivesEveryDamagedHeaderByte) {
  ASSERT_OK(const std::string text,
            read_text_file(HANDLOOM_GOLDEN_DIR "/llama2/model.safetensors"));
  std::vector<std::byte> bytes(as_bytes(text).begin(), as_bytes(text).end());
  uint64_t header_length = 0;
  std::memcpy(&header_length, bytes.data(), 8);
  size_t refused = 0;
  for (size_t i = 0; i < 8 + header_length; ++i) {
    const std::byte whole = bytes[i];
    bytes[i] = static_cast<std::byte>(std::to_integer<unsigned>(whole) ^ 1u << (i % 8));
    const auto result = parse_safetensors(bytes, "f");
    refused += !result.has_value();
    for (const TensorInfo& tensor : result ? result->tensors() : std::span<const TensorInfo>()) {
      ASSERT_GE(tensor.bytes.data(), bytes.data());
      ASSERT_LE(tensor.bytes.data() + tensor.bytes.size(), bytes.data() + bytes.size());
    }
    bytes[i] = whole;
  }
  EXPECT_GT(refused, header_length / 4);  // the rest are letters of names
}

}  // namespace
}  // namespace handloom::formats
