// The whole: what encode and decode refuse, and that streams end where decode() does.
#include "tokenizer/tokenizer.h"

#include "base/file.h"
#include "tests/tokenizer/support.h"
#include "tokenizer/utf8.h"

#include <array>

namespace handloom::tokenizer {
namespace {

Tokenizer family(const std::string& name) {
  return Tokenizer::load(fmt::format("{}/{}/tokenizer.json", HANDLOOM_GOLDEN_DIR, name)).value();
}

constexpr std::array kFamilies = {"llama2", "llama3.2", "phi3", "qwen2", "gemma2"};

// Two to four bytes, joined emoji, marks, and what is in no trimmed vocabulary.
constexpr std::string_view kHard =
    " caf\u00E9 \u6F22\u5B57 \U0001F468\u200D\U0001F469\u200D\U0001F467 e\u0301\U0001F3FD \uFFFD"
    "\U0010FFFF\n";

TEST(Stream, EqualsDecodeOfEveryPrefixAndSuffix) {
  for (const char* name : kFamilies) {
    const Tokenizer tokenizer = family(name);
    const Ids ids = tokenizer.encode(kHard).value();
    for (size_t begin = 0; begin < ids.size(); ++begin) {
      for (size_t end = begin; end <= ids.size(); ++end) {
        const Ids some(ids.begin() + static_cast<long>(begin),
                       ids.begin() + static_cast<long>(end));
        StreamDecoder stream(tokenizer, false);
        std::string text;
        for (const uint32_t id : some) {
          const std::string part = stream.push(id).value();
          EXPECT_EQ(find_invalid_utf8(part), std::nullopt);
          text += part;
        }
        text += stream.finish().value();
        ASSERT_EQ(text, tokenizer.decode(some).value()) << name << " " << begin << " " << end;
      }
    }
  }
}

TEST(Stream, NeverTakesTextBack) {
  const Tokenizer tokenizer = family("llama3.2");
  const Ids ids = tokenizer.encode(kHard, {.add_specials = false}).value();
  StreamDecoder stream(tokenizer);
  std::string text;
  for (const uint32_t id : ids) {
    text += stream.push(id).value();
    EXPECT_TRUE(kHard.starts_with(text));
  }
  EXPECT_EQ(text, kHard);
  EXPECT_EQ(stream.finish(), "");
}

TEST(Stream, SkipsSpecials) {
  const Tokenizer tokenizer = family("phi3");
  const Ids ids = tokenizer.encode("<|user|>\nHello<|end|>\n").value();
  EXPECT_EQ(tokenizer.decode(ids, true), "Hello");
  StreamDecoder skipping(tokenizer), showing(tokenizer, false);
  std::string skipped, shown;
  for (const uint32_t id : ids) {
    skipped += skipping.push(id).value();
    shown += showing.push(id).value();
  }
  EXPECT_EQ(skipped, "Hello");
  EXPECT_EQ(shown, "<s><|user|> Hello<|end|>");
}

TEST(Stream, OutlivesItsTokenizerAndMoves) {
  auto stream = [] {
    const Tokenizer tokenizer = family("qwen2");
    return StreamDecoder(tokenizer);
  }();
  const Tokenizer tokenizer = family("qwen2");
  EXPECT_EQ(stream.push(*tokenizer.id_of("a")), "a");
  StreamDecoder moved = std::move(stream);
  EXPECT_EQ(moved.push(*tokenizer.id_of("b")), "b");
}

TEST(Stream, AnUnknownIdIsAnErrorAndNotTheEnd) {
  const Tokenizer tokenizer = family("llama2");
  StreamDecoder stream(tokenizer);
  EXPECT_TRUE(stream.push(*tokenizer.id_of("<0xC3>")));
  const std::string error = error_of(stream.push(600));
  EXPECT_TRUE(
      error.ends_with("tokenizer.json: decode: id 600 has no piece, expected one below 600"))
      << error;
  EXPECT_TRUE(stream.push(*tokenizer.id_of("<0xA9>")));
  EXPECT_EQ(stream.finish(), "\u00E9");
}

TEST(Tokenizer, DecodeRefusesUnknownIds) {
  const Tokenizer tokenizer = family("gemma2");
  EXPECT_EQ(tokenizer.vocab_size(), 602u);
  EXPECT_FALSE(tokenizer.decode(Ids{602}));
  EXPECT_FALSE(tokenizer.decode(Ids{0, 4'294'967'295}));
  EXPECT_TRUE(tokenizer.decode(Ids{601}));
}

TEST(Tokenizer, EncodeRefusesInvalidUtf8) {
  const Tokenizer tokenizer = family("qwen2");
  EXPECT_EQ(error_of(tokenizer.encode("ab\xFF")),
            "encode: text has byte 0xff at 2, expected UTF-8");
  EXPECT_EQ(error_of(tokenizer.encode("\xC3")), "encode: text has byte 0xc3 at 0, expected UTF-8");
  EXPECT_EQ(error_of(tokenizer.encode("a\xED\xA0\x80")),
            "encode: text has byte 0xed at 1, expected UTF-8");
}

TEST(Tokenizer, EncodesNul) {
  const Tokenizer tokenizer = family("qwen2");
  const std::string text("a\0b", 3);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text).value()), text);
}

TEST(Tokenizer, RefusesWhatIsNoTokenizer) {
  const auto error = [](std::string_view text) {
    return error_of(Tokenizer::parse(text, "t.json"));
  };
  EXPECT_EQ(error(""), "t.json: is not valid JSON (0 bytes)");
  EXPECT_EQ(error("{\"model\": "), "t.json: is not valid JSON (10 bytes)");
  EXPECT_EQ(error("[]"), "t.json: is an array of 0, expected an object");
  EXPECT_EQ(error("{}"), "t.json: 'model' is missing, expected an object");
  EXPECT_EQ(error("{\"model\": \"\xFF\"}"), "t.json: is not valid JSON (14 bytes)");
  EXPECT_TRUE(error(std::string(100'000, '[')).starts_with("t.json: is not valid JSON"));
  EXPECT_TRUE(error(std::string(100'000, '[') + std::string(100'000, ']'))
                  .starts_with("t.json: is an array of 1"));
  EXPECT_EQ(error_of(Tokenizer::load("/nonexistent/tokenizer.json")).substr(0, 27),
            "/nonexistent/tokenizer.json");
}

TEST(Tokenizer, IgnoresTruncationAndPadding) {
  const auto tokenizer =
      tokenizer_of(R"({"vocab": {"a": 0}, "merges": []})",
                   R"("truncation": {"max_length": 1}, "padding": {"pad_id": 0})");
  ASSERT_TRUE(tokenizer) << error_of(tokenizer);
  EXPECT_EQ(tokenizer->encode("aaa"), Ids({0, 0, 0}));
}

TEST(Utf8, FindsTheFirstBadByte) {
  EXPECT_EQ(find_invalid_utf8("a\u00E9\u6F22\U0001F600"), std::nullopt);
  EXPECT_EQ(find_invalid_utf8("\xC0\x80"), 0u);           // overlong
  EXPECT_EQ(find_invalid_utf8("\xE0\x80\x80"), 0u);       // overlong
  EXPECT_EQ(find_invalid_utf8("a\xF4\x90\x80\x80"), 1u);  // past U+10FFFF
  EXPECT_EQ(find_invalid_utf8("\u6F22\xE6\xBC"), 3u);     // unfinished
}

TEST(Utf8, LossyOfEverySplit) {
  const std::string bytes = "a\xC3\xA9\xF0\x9F\x98\x80\xE2\x28\xA1\xF0\x9F\x98";
  const std::string want = "a\u00E9\U0001F600\uFFFD(\uFFFD\uFFFD";
  for (size_t first = 0; first <= bytes.size(); ++first) {
    for (size_t second = first; second <= bytes.size(); ++second) {
      LossyUtf8 lossy;
      std::string text;
      lossy.push(std::string_view(bytes).substr(0, first), text);
      lossy.push(std::string_view(bytes).substr(first, second - first), text);
      lossy.push(std::string_view(bytes).substr(second), text);
      lossy.finish(text);
      ASSERT_EQ(text, want) << first << " " << second;
    }
  }
}

}  // namespace
}  // namespace handloom::tokenizer
