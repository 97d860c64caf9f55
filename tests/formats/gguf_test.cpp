// GGUF's bytes: what is read, from one file and from parts, and every way in which one is refused.
#include "formats/gguf.h"

#include "tests/formats/gguf_support.h"

#include <fmt/format.h>

#include <limits>

namespace handloom::formats {
namespace {

using namespace std::string_literals;

Result<Gguf> parse(std::string_view file) { return Gguf::parse(as_bytes(file), "f"); }

std::string ramp(size_t n_bytes) {
  std::string bytes(n_bytes, '\0');
  for (size_t i = 0; i < n_bytes; ++i) bytes[i] = static_cast<char>(i * 37 + 11);
  return bytes;
}

/// A small file with something of everything.
GgufFile sample() {
  GgufFile file;
  file.text("general.architecture", "llama").u32("llama.block_count", 2);
  file.f32("llama.eps", 1e-5f).flag("flag", true);
  file.texts("tokenizer.ggml.tokens", {"<s>", "", "hello"});
  file.array("scores", 6, 2, raw(0.5f) + raw(-1.0f));
  file.tensor("a", 0, {3, 2}, ramp(24)).tensor("b", 2, {64}, ramp(36));
  return file;
}

TEST(Gguf, ReadsValuesOfEveryType) {
  GgufFile made;
  made.key("u8", 0, raw(uint8_t{200})).key("i8", 1, raw(int8_t{-100}));
  made.key("u16", 2, raw(uint16_t{50000})).key("i16", 3, raw(int16_t{-2}));
  made.key("u32", 4, raw(4'000'000'000u)).key("i32", 5, raw(7));
  made.key("f32", 6, raw(0.25f)).key("bool", 7, raw(uint8_t{1})).text("string", "t\nx");
  made.key("u64", 10, raw(uint64_t{1} << 63)).key("i64", 11, raw(int64_t{4'294'967'295}));
  made.key("f64", 12, raw(1.5)).texts("strings", {"", "ab"});
  made.array("bools", 7, 3, "\1\0\1"s).array("i8s", 1, 2, "\5\6"s).array("none", 0, 0, "");
  made.array("f32s", 6, 1, raw(2.0f)).array("i32s", 5, 2, raw(1) + raw(-1));
  const std::string file = made.bytes();
  ASSERT_OK(const Gguf gguf, parse(file));
  const GgufMetadata& m = gguf.metadata();

  EXPECT_EQ(m.entries().size(), 18u);
  EXPECT_EQ(m.find_u32("u8").value(), 200u);
  EXPECT_EQ(m.find_u32("u16").value(), 50000u);
  EXPECT_EQ(m.find_u32("u32").value(), 4'000'000'000u);
  EXPECT_EQ(m.find_u32("i32").value(), 7u);
  EXPECT_EQ(m.find_u32("i64").value(), 4'294'967'295u);
  EXPECT_EQ(m.find_number("f32").value(), 0.25);
  EXPECT_EQ(m.find_number("f64").value(), 1.5);
  EXPECT_EQ(m.find_bool("bool").value(), true);
  EXPECT_EQ(m.find_string("string").value(), "t\nx");
  EXPECT_EQ(m.find_strings("strings").value(), (std::vector<std::string>{"", "ab"}));
  EXPECT_EQ(m.find_bools("bools").value(), (Flags{true, false, true}));
  EXPECT_EQ(m.find_u32s("i8s").value(), (std::vector<uint32_t>{5, 6}));
  EXPECT_EQ(m.find_u32s("none").value(), std::vector<uint32_t>());
  EXPECT_EQ(m.find_floats("f32s").value(), std::vector<float>{2.0f});

  EXPECT_EQ(m.find_u32("absent").value(), std::nullopt);
  EXPECT_EQ(m.find_number("absent").value(), std::nullopt);
  EXPECT_EQ(m.find_bool("absent").value(), std::nullopt);
  EXPECT_EQ(m.find_string("absent").value(), std::nullopt);
  EXPECT_TRUE(m.find_strings("absent")->empty() && m.find_u32s("absent")->empty());
  EXPECT_TRUE(m.find_floats("absent")->empty() && m.find_bools("absent")->empty());
}

TEST(Gguf, DescribesValues) {
  GgufFile made;
  made.key("a", 1, raw(int8_t{-100}))
      .key("b", 10, raw(~uint64_t{0}))
      .key("c", 11, raw(int64_t{-1}));
  made.f32("d", 0.1f)
      .key("e", 12, raw(0.1))
      .flag("f", false)
      .text("g", "x\ty" + std::string(200, 'z'));
  made.texts("h", {"", ""}).array("i", 6, 0, "");
  const std::string file = made.bytes();
  ASSERT_OK(const Gguf gguf, parse(file));
  std::vector<std::string> texts;
  for (const auto& [key, value] : gguf.metadata().entries()) texts.push_back(describe(value));
  EXPECT_EQ(texts, (std::vector<std::string>{"-100", "18446744073709551615", "-1", "0.1", "0.1",
                                             "false", "\"x?y" + std::string(97, 'z') + "...\"",
                                             "an array of 2 strings", "an array of 0 f32"}));
}

TEST(Gguf, RefusesValuesOfAnotherTypeOrRange) {
  GgufFile made;
  made.key("i8", 1, raw(int8_t{-1})).key("u64", 10, raw(uint64_t{1} << 32)).f32("f32", 1.0f);
  made.text("text", "x").flag("flag", true).array("i32s", 5, 2, raw(1) + raw(-1));
  made.texts("texts", {"x"}).key("huge", 10, raw(uint64_t{1} << 63));
  const std::string file = made.bytes();
  ASSERT_OK(const Gguf gguf, parse(file));
  const GgufMetadata& m = gguf.metadata();
  constexpr auto bad = ErrorCode::bad_format;
  const char* whole = "expected a whole number from 0 to 4294967295";
  expect_error(m.find_u32("i8"), bad, {"f: 'i8' is -1", whole});
  expect_error(m.find_u32("u64"), bad, {"'u64' is 4294967296", whole});
  expect_error(m.find_u32("huge"), bad, {"'huge' is 9223372036854775808", whole});
  expect_error(m.find_u32("f32"), bad, {"'f32' is 1", whole});
  expect_error(m.find_u32("i32s"), bad, {"'i32s' is an array of 2 i32", whole});
  expect_error(m.get_u32("none"), bad, {"'none' is missing, expected a whole number"});
  expect_error(m.get_number("none"), bad, {"'none' is missing, expected a number"});
  expect_error(m.get_string("none"), bad, {"'none' is missing, expected a string"});
  expect_error(m.find_number("i8"), bad, {"'i8' is -1, expected a floating-point number"});
  expect_error(m.find_bool("i8"), bad, {"'i8' is -1, expected true or false"});
  expect_error(m.find_string("texts"), bad,
               {"'texts' is an array of 1 strings, expected a string"});
  expect_error(m.find_strings("text"), bad, {"'text' is \"x\", expected an array of strings"});
  expect_error(m.find_strings("i32s"), bad, {"expected an array of strings"});
  expect_error(m.find_floats("i32s"), bad, {"expected an array of f32"});
  expect_error(m.find_bools("i32s"), bad, {"expected an array of bool"});
  expect_error(m.find_u32s("texts"), bad, {"expected an array of whole numbers"});
  expect_error(m.find_u32s("i32s"), bad, {"'i32s' holds -1, expected whole numbers"});
}

TEST(Gguf, ReadsTensorsOutermostDimensionFirst) {
  for (const uint32_t version : {2u, 3u}) {
    GgufFile made = sample();
    made.version = version;
    const std::string file = made.bytes();
    ASSERT_OK(const Gguf gguf, parse(file));
    const Checkpoint& checkpoint = gguf.checkpoint();
    ASSERT_EQ(checkpoint.tensors().size(), 2u);
    EXPECT_EQ(checkpoint.where(), "f");
    EXPECT_EQ(checkpoint.find("a")->shape, Shape({2, 3}));
    EXPECT_EQ(checkpoint.find("b")->dtype, DType::q4_0);
    EXPECT_EQ(checkpoint.find("b")->shape, Shape({64}));
    const auto bytes = checkpoint.find("b")->bytes;
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), ramp(36));
    EXPECT_EQ(bytes.data(), as_bytes(file).data() + made.head().size() + 32);  // nothing is copied
  }
}

TEST(Gguf, ReadsEveryTensorTypeThatHandloomHas) {
  struct Case {
    uint32_t id;
    DType dtype;
    uint64_t row, n_bytes;
  };
  const Case cases[] = {
      {0, DType::f32, 1, 4},       {1, DType::f16, 1, 2},       {2, DType::q4_0, 32, 18},
      {3, DType::q4_1, 32, 20},    {6, DType::q5_0, 32, 22},    {7, DType::q5_1, 32, 24},
      {8, DType::q8_0, 32, 34},    {10, DType::q2_k, 256, 84},  {11, DType::q3_k, 256, 110},
      {12, DType::q4_k, 256, 144}, {13, DType::q5_k, 256, 176}, {14, DType::q6_k, 256, 210},
      {20, DType::iq4_nl, 32, 18}, {24, DType::i8, 1, 1},       {26, DType::i32, 1, 4},
      {27, DType::i64, 1, 8},      {30, DType::bf16, 1, 2},     {39, DType::mxfp4, 32, 17},
  };
  for (const auto& [id, dtype, row, n_bytes] : cases) {
    SCOPED_TRACE(id);
    const std::string file = GgufFile().tensor("t", id, {row, 3}, ramp(3 * n_bytes)).bytes();
    ASSERT_OK(const Gguf gguf, parse(file));
    EXPECT_EQ(gguf.checkpoint().tensors()[0].dtype, dtype);
    EXPECT_EQ(gguf.checkpoint().tensors()[0].bytes.size(), 3 * n_bytes);
    expect_error(parse(file.substr(0, file.size() - 1)), ErrorCode::bad_format, {"cut short"});
  }
}

TEST(Gguf, RefusesOtherTensorTypesByName) {
  const std::pair<uint32_t, const char*> cases[] = {
      {4, "Q4_2"},     {9, "Q8_1"},        {15, "Q8_K"},  {16, "IQ2_XXS"},  {17, "IQ2_XS"},
      {18, "IQ3_XXS"}, {19, "IQ1_S"},      {21, "IQ3_S"}, {22, "IQ2_S"},    {23, "IQ4_XS"},
      {25, "I16"},     {28, "F64"},        {29, "IQ1_M"}, {31, "Q4_0_4_4"}, {34, "TQ1_0"},
      {35, "TQ2_0"},   {38, "IQ4_NL_8_8"}, {40, "NVFP4"}, {41, "Q1_0"},     {42, "Q2_0"}};
  for (const auto& [id, name] : cases) {
    const std::string file = GgufFile().tensor("t", id, {256}, ramp(1024)).bytes();
    expect_error(
        parse(file), ErrorCode::unsupported,
        {fmt::format("f: tensor 't': has type {}, which is not supported", name),
         "(supported: F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, "
         "IQ4_NL, I8, I32, I64, BF16, MXFP4)"});
  }
  const std::string unknown = GgufFile().tensor("t", 43, {1}, ramp(4)).bytes();
  expect_error(parse(unknown), ErrorCode::bad_format, {"has type 43, which is not supported"});
}

struct Refusal {
  GgufFile file;
  ErrorCode code;
  std::string fragment;
};

void expect_refusals(const std::vector<Refusal>& refusals) {
  for (const auto& [file, code, fragment] : refusals) {
    SCOPED_TRACE(fragment);
    // A copy of exact size, so that the address sanitizer sees any read past the end.
    const std::string bytes = file.bytes();
    const std::vector<char> exact(bytes.begin(), bytes.end());
    expect_error(Gguf::parse(std::as_bytes(std::span(exact)), "f"), code, {"f: ", fragment});
  }
}

TEST(Gguf, RefusesWhatIsNoGgufFileOfAKnownKind) {
  constexpr auto bad = ErrorCode::bad_format, other = ErrorCode::unsupported;
  EXPECT_TRUE(is_gguf(as_bytes("GGUFx")));
  EXPECT_FALSE(is_gguf(as_bytes("GGU")));
  expect_error(parse(""), bad, {"f: begins with '', expected 'GGUF'"});
  expect_error(parse("GGU"), bad, {"f: begins with 'GGU', expected 'GGUF'"});
  expect_error(parse("GGUF"), bad, {"the header at 4 takes 4 bytes, the file has 0 left"});
  expect_error(parse("tjggxxxxxxxxxxxx"), other, {"begins with 'tjgg', expected 'GGUF'"});
  expect_error(parse("version https://git-lfs.github.com/spec/v1"), other, {"git lfs pull"});
  expect_refusals({
      {{.version = 1}, other, "is GGUF version 1, expected 2 or 3"},
      {{.version = 4}, other, "is GGUF version 4, expected 2 or 3"},
      {{.version = 0}, other, "is GGUF version 0, expected 2 or 3"},
      {{.version = 3u << 24}, other, "is a big-endian GGUF file, expected little-endian"},
  });
}

TEST(Gguf, RefusesHostileCountsBeforeAnythingGrows) {
  constexpr auto bad = ErrorCode::bad_format;
  const auto promise = [](std::optional<uint64_t> tensors, std::optional<uint64_t> keys) {
    GgufFile file = sample();
    file.promised_tensors = tensors;
    file.promised_keys = keys;
    return file;
  };
  const uint64_t half = uint64_t{1} << 63, most = ~uint64_t{0};
  const std::string a_key = "a";
  expect_refusals({
      {promise(half, {}), bad, "promises 9223372036854775808 tensors, expected at most"},
      {promise(most, {}), bad, "promises 18446744073709551615 tensors, expected at most"},
      {promise({}, half), bad, "promises 9223372036854775808 metadata keys, expected at most"},
      {promise({}, most), bad, "promises 18446744073709551615 metadata keys, expected at most"},
      {promise({}, 7), bad, "cut short"},
      {promise(3, {}), bad, "cut short"},
      {GgufFile().array("a", 8, half, "").text("z", "pad"), bad,
       "'a' promises 9223372036854775808 values of type string, the file has"},
      {GgufFile().array("a", 0, most, "").text("z", "pad"), bad,
       "'a' promises 18446744073709551615 values of type u8, the file has"},
      {GgufFile().array("a", 10, half / 4, "").text("z", "pad"), bad,  // 8 times as much is 2^64
       "'a' promises 2305843009213693952 values of type u64"},
      {GgufFile().array("a", 8, 3, std::string(24, '\xff')), bad,
       "a metadata string at 57 takes 18446744073709551615 bytes, the file has"},
      {GgufFile().key("a", 8, raw(half) + "text"), bad, "a metadata string at 45 takes"},
      {GgufFile().key("a", 8, raw(uint64_t{100}) + "text"), bad, "takes 100 bytes"},
  });
  GgufFile long_key;
  long_key.keys = raw(half) + "abcdefghijklmnop";
  long_key.n_keys = 1;
  expect_refusals({{long_key, bad, "a metadata key at 32 takes 9223372036854775808 bytes"}});
}

TEST(Gguf, RefusesMalformedMetadata) {
  constexpr auto bad = ErrorCode::bad_format;
  expect_refusals({
      {GgufFile().key("a", 13, raw(0)), bad, "'a' has value type 13, expected 0 to 12"},
      {GgufFile().key("a", ~0u, raw(0)), bad, "'a' has value type 4294967295"},
      {GgufFile().array("a", 13, 1, raw(0)), bad, "'a' has value type 13"},
      {GgufFile().array("a", 9, 1, raw_array(4, 1, raw(1))), ErrorCode::unsupported,
       "'a' is an array of arrays"},
      {GgufFile().key("a", 7, "\2"), bad, "'a' holds 2 as a bool, expected 0 or 1"},
      {GgufFile().array("a", 7, 2, "\1\xff"), bad, "'a' holds 255 as a bool"},
      {GgufFile().u32("a", 1).u32("b", 1).text("a", "x"), bad,
       "metadata key 'a' is there twice, expected once"},
      {GgufFile().u32("general.alignment", 0), bad, "'general.alignment' is 0, expected a power"},
      {GgufFile().u32("general.alignment", 48), bad, "'general.alignment' is 48, expected a power"},
      {GgufFile().text("general.alignment", "32"), bad, "expected a whole number"},
      {GgufFile().key("general.alignment", 10, raw(uint64_t{1} << 40)), bad, "expected a whole"},
      {GgufFile().u32("split.count", 100000), bad,
       "'split.count' is 100000, expected at most 99999"},
      {GgufFile().u32("split.count", 2), bad, "is one of 2 parts of a model, expected a whole one"},
  });
}

TEST(Gguf, RefusesTensorsThatContradictThemselvesOrTheFile) {
  constexpr auto bad = ErrorCode::bad_format, other = ErrorCode::unsupported;
  const std::string data = ramp(256);
  const auto with_data = [&](GgufFile file) {
    file.data = data;
    return file;
  };
  const uint64_t half = uint64_t{1} << 63, most = ~uint64_t{0};
  GgufFile five;
  five.tensor_at(0, "t", 0, {1, 1, 1, 1, 1});
  GgufFile many;
  many.tensors = raw_text("t") + raw(0xffffffffu) + std::string(64, '\0');
  many.n_tensors = 1;
  expect_refusals({
      {five, bad, "tensor 't': has 5 dimensions, expected at most 4"},
      {many, bad, "tensor 't': has 4294967295 dimensions"},
      {with_data(GgufFile().tensor_at(0, "t", 2, {31, 2})), bad,
       "has rows of 31 values, expected a multiple of 32 for q4_0"},
      {with_data(GgufFile().tensor_at(0, "t", 12, {128, 2})), bad,
       "has rows of 128 values, expected a multiple of 256 for q4_k"},
      {with_data(GgufFile().tensor_at(0, "t", 0, {half, 2})), other,
       "has a dimension of 9223372036854775808, expected at most 4294967295"},
      {with_data(GgufFile().tensor_at(0, "t", 0, {most})), other, "18446744073709551615"},
      {with_data(GgufFile().tensor_at(0, "t", 0, {4294967295, 4294967295})), bad,
       "f32 [4294967295, 4294967295] is larger than any file"},
      {with_data(GgufFile().tensor_at(0, "t", 24, {65536, 65536, 65536, 65536})), bad,
       "is larger than any file"},
      {with_data(GgufFile().tensor_at(0, "t", 0, {65})), bad,
       "tensor 't' begins at 0 and takes 260 bytes, the file has 256 for tensors"},
      {with_data(GgufFile().tensor_at(256, "t", 0, {1})), bad, "begins at 256 and takes 4 bytes"},
      {with_data(GgufFile().tensor_at(half, "t", 0, {1})), bad, "begins at 9223372036854775808"},
      {with_data(GgufFile().tensor_at(most - 31, "t", 0, {64})), bad,
       "begins at 18446744073709551584"},
      {with_data(GgufFile().tensor_at(16, "t", 0, {1})), bad,
       "tensor 't' begins at 16, expected a multiple of 32"},
      {with_data(GgufFile().tensor_at(0, "a", 0, {9}).tensor_at(32, "b", 0, {1})), bad,
       "tensor 'b' begins at 32, inside tensor 'a', which ends at 36"},
      {with_data(GgufFile().tensor_at(0, "a", 0, {1}).tensor_at(0, "b", 0, {1})), bad,
       "inside tensor 'a'"},
      {with_data(GgufFile().tensor_at(0, "a", 0, {1}).tensor_at(32, "a", 0, {1})), bad,
       "tensor 'a' is there twice, expected once"},
      {GgufFile().tensor_at(0, "a", 0, {1}), bad, "the file has 0 for tensors"},
  });
}

TEST(Gguf, HonoursTheAlignmentThatTheFileStates) {
  GgufFile made;
  made.alignment = 256;
  made.u32("general.alignment", 256).tensor("a", 0, {1}, ramp(4)).tensor("b", 0, {2}, ramp(8));
  const std::string file = made.bytes();
  ASSERT_OK(const Gguf gguf, parse(file));
  EXPECT_EQ(gguf.checkpoint().find("b")->bytes.data(), as_bytes(file).data() + 512);
  GgufFile narrow = made;
  narrow.tensor_at(32, "c", 0, {1});
  expect_error(parse(narrow.bytes()), ErrorCode::bad_format, {"expected a multiple of 256"});
}

TEST(Gguf, AcceptsEmptyTensorsScalarsAndTrailingBytes) {
  GgufFile made;
  made.tensor("empty", 0, {0, 7}, "").tensor("scalar", 0, {}, ramp(4));
  const std::string file = made.bytes() + "left over";
  ASSERT_OK(const Gguf gguf, parse(file));
  EXPECT_EQ(gguf.checkpoint().find("empty")->bytes.size(), 0u);
  EXPECT_EQ(gguf.checkpoint().find("scalar")->shape, Shape());
  EXPECT_EQ(gguf.checkpoint().find("scalar")->bytes.size(), 4u);
}

TEST(Gguf, RefusesEveryTruncation) {
  const std::string file = sample().bytes();
  ASSERT_TRUE(parse(file).has_value());
  for (size_t size = 0; size < file.size(); ++size) {
    SCOPED_TRACE(size);
    const std::vector<char> exact(file.begin(), file.begin() + static_cast<long>(size));
    expect_error(Gguf::parse(std::as_bytes(std::span(exact)), "f"), ErrorCode::bad_format, {"f: "});
  }
}

/// Any bit of the head turned: an error of one line, or tensors that lie inside the file.
TEST(Gguf, SurvivesEveryDamagedBit) {
  std::string file = sample().bytes();
  size_t refused = 0;
  const size_t n_bits = sample().head().size() * 8;
  for (size_t bit = 0; bit < n_bits; ++bit) {
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ 1 << bit % 8);
    const auto gguf = parse(file);
    refused += !gguf.has_value();
    ASSERT_TRUE(gguf || !gguf.error().message.contains('\n'));
    for (const TensorInfo& t :
         gguf ? gguf->checkpoint().tensors() : std::span<const TensorInfo>()) {
      ASSERT_GE(t.bytes.data(), as_bytes(file).data());
      ASSERT_LE(t.bytes.data() + t.bytes.size(), as_bytes(file).data() + file.size());
    }
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ 1 << bit % 8);
  }
  EXPECT_GT(refused, n_bits / 4);  // the rest are letters, values and padding
}

TEST(Gguf, ErrorsStayOneShortLine) {
  GgufFile made;
  const std::string name = "line\nbreak" + std::string(5000, 'n');
  made.key(name, 77, "");
  expect_error(parse(made.bytes()), ErrorCode::bad_format, {"'line?breaknnn", "nnn...'"});
  const std::string file = GgufFile().text(name, name).bytes();
  ASSERT_OK(const Gguf gguf, parse(file));
  expect_error(gguf.metadata().find_u32(gguf.metadata().entries()[0].key), ErrorCode::bad_format,
               {"'line?breaknnn", "is \"line?break"});
}

TEST(Gguf, OpensAFileAndKeepsItMappedWhenMoved) {
  const TempFolder folder;
  folder.write("m.gguf", sample().bytes());
  ASSERT_OK(Gguf first, Gguf::open(folder / "m.gguf"));
  const Gguf gguf = std::move(first);
  EXPECT_EQ(gguf.where(), folder / "m.gguf");
  EXPECT_EQ(gguf.metadata().get_string("general.architecture").value(), "llama");
  ASSERT_OK(const auto a, gguf.checkpoint().get("a"));
  EXPECT_EQ(a->bytes[1], std::byte{48});
  expect_error(Gguf::open(folder / "none.gguf"), ErrorCode::not_found, {"none.gguf: cannot open"});
  expect_error(Gguf::open(folder.path()), ErrorCode::io, {"is not a regular file"});
}

/// Part `no` of `count`, counted from 0, with one tensor.
GgufFile part(uint32_t no, uint32_t count, std::string_view tensor) {
  GgufFile file;
  if (no == 0) file.text("general.architecture", "llama").u32("split.tensors.count", count);
  file.key("split.no", 2, raw(static_cast<uint16_t>(no)));
  file.key("split.count", 2, raw(static_cast<uint16_t>(count)));
  file.tensor(tensor, 0, {1}, raw(static_cast<float>(no)));
  return file;
}

struct Parts {
  TempFolder folder = {};
  std::string first = folder / "m-00001-of-00003.gguf", second = folder / "m-00002-of-00003.gguf";

  Parts() {
    folder.write("m-00001-of-00003.gguf", part(0, 3, "x").bytes());
    folder.write("m-00002-of-00003.gguf", part(1, 3, "y").bytes());
    folder.write("m-00003-of-00003.gguf", part(2, 3, "z").bytes());
  }
};

TEST(GgufParts, AnyPartOpensTheWholeModel) {
  const Parts parts;
  for (const char* name :
       {"m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf"}) {
    ASSERT_OK(const Gguf gguf, Gguf::open(parts.folder / name));
    EXPECT_EQ(gguf.where(), parts.first);
    EXPECT_EQ(gguf.metadata().get_string("general.architecture").value(), "llama");
    ASSERT_EQ(gguf.checkpoint().tensors().size(), 3u);
    EXPECT_EQ(to_f32(*gguf.checkpoint().find("z")).value(), std::vector<float>{2.0f});
  }
}

TEST(GgufParts, NamesTheMissingOne) {
  const Parts parts;
  std::filesystem::remove(parts.second);
  expect_error(Gguf::open(parts.first), ErrorCode::not_found,
               {"m-00002-of-00003.gguf: is missing, expected all 3 parts in one folder"});
}

TEST(GgufParts, RefusesPartsThatDoNotBelongTogether) {
  constexpr auto bad = ErrorCode::bad_format;
  const Parts parts;
  const auto expect_bad_second = [&](const GgufFile& file, std::string_view fragment) {
    parts.folder.write("m-00002-of-00003.gguf", file.bytes());
    expect_error(Gguf::open(parts.first), bad, {"m-00002-of-00003.gguf: ", fragment});
  };
  expect_bad_second(part(2, 3, "y"),
                    "says it is part 3 of 3 ('split.no', 'split.count'), expected");
  expect_bad_second(part(1, 2, "y"), "says it is part 2 of 2");
  expect_bad_second(sample(), "'split.no' is missing");
  expect_bad_second(GgufFile().text("a", "b"), "'split.no' is missing");
  parts.folder.write("m-00002-of-00003.gguf", part(1, 3, "x").bytes());
  expect_error(Gguf::open(parts.first), bad, {"tensor 'x' is there twice"});
  parts.folder.write("m-00002-of-00003.gguf",
                     part(1, 3, "y").tensor("more", 0, {1}, ramp(4)).bytes());
  expect_error(Gguf::open(parts.first), bad, {"'split.tensors.count' is 3, expected 4"});
}

TEST(GgufParts, RefusesAPartUnderAnotherName) {
  const TempFolder folder;
  folder.write("renamed.gguf", part(0, 3, "x").bytes());
  expect_error(Gguf::open(folder / "renamed.gguf"), ErrorCode::bad_format,
               {"is part 1 of 3, expected a name that ends in '-00001-of-00003.gguf'"});
  GgufFile hostile;
  hostile.u32("split.no", ~0u).u32("split.count", 99999);
  folder.write("renamed.gguf", hostile.bytes());
  expect_error(Gguf::open(folder / "renamed.gguf"), ErrorCode::bad_format,
               {"is part 4294967296 of 99999, expected a name"});
}

}  // namespace
}  // namespace handloom::formats
