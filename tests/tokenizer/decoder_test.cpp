// Each decoder step: what it makes of all pieces, and that text comes out as early as it can.
#include "tokenizer/decoder.h"

#include "tests/tokenizer/support.h"

namespace handloom::tokenizer {
namespace {

using Texts = std::vector<std::string>;

/// What each push and the finish answer.
Texts steps_of(std::string_view section, const Texts& pieces) {
  auto decoder = read_section<Decoder>("decoder", section);
  EXPECT_TRUE(decoder) << error_of(decoder);
  if (!decoder) return {};
  Texts out;
  for (const std::string& piece : pieces) {
    const auto result = decoder->push(piece, out.emplace_back());
    EXPECT_TRUE(result) << error_of(result);
  }
  const auto result = decoder->finish(out.emplace_back());
  EXPECT_TRUE(result) << error_of(result);
  return out;
}

std::string sequence(std::string_view steps) {
  return fmt::format(R"({{"type": "Sequence", "decoders": [{}]}})", steps);
}

constexpr std::string_view kFuse = R"({"type": "Fuse"})";
const std::string kBad = "\uFFFD";

TEST(Decoder, NoneJoinsBySpaces) {
  EXPECT_EQ(steps_of("null", {"a", "b", "", "c"}), Texts({"a", " b", " ", " c", ""}));
  EXPECT_EQ(steps_of(sequence(""), {"a", "b"}), Texts({"a", "b", ""}));
}

TEST(Decoder, ReadyForAnotherText) {
  for (const char* section :
       {"null", R"({"type": "ByteLevel"})", R"({"type": "ByteFallback"})",
        R"({"type": "Metaspace", "replacement": "_"})", R"({"type": "BPEDecoder"})",
        R"({"type": "WordPiece", "prefix": "##", "cleanup": true})",
        R"({"type": "Sequence", "decoders": [{"type": "Fuse"},
            {"type": "Strip", "content": "_", "start": 1, "stop": 1}]})"}) {
    auto decoder = read_section<Decoder>("decoder", section);
    ASSERT_TRUE(decoder) << error_of(decoder);
    Texts texts(2);
    for (std::string& text : texts) {
      for (const char* piece : {"_a", "<0xE2>", "b</w>", "\u00E2"}) {
        ASSERT_TRUE(decoder->push(piece, text));
      }
      ASSERT_TRUE(decoder->finish(text));
    }
    EXPECT_EQ(texts[0], texts[1]) << section;
    EXPECT_FALSE(texts[0].empty());
  }
}

TEST(Decoder, ByteLevel) {
  EXPECT_EQ(steps_of(R"({"type": "ByteLevel"})", {"Hey", "\u0120you", "\u010A"}),
            Texts({"Hey", " you", "\n", ""}));
  // U+1F600 is F0 9F 98 80, spelt "ðŁĺĢ".
  EXPECT_EQ(steps_of(R"({"type": "ByteLevel"})", {"a\u00F0", "\u0141", "\u013A", "\u0122b"}),
            Texts({"a", "", "", "\U0001F600b", ""}));
  // A piece that is not of the alphabet is its own bytes.
  EXPECT_EQ(steps_of(R"({"type": "ByteLevel"})", {"<a b>", "\u6F22", "\u00E9"}),
            Texts({"<a b>", "\u6F22", "", kBad}));
}

TEST(Decoder, ByteLevelReplacesMaximalParts) {
  // F0 9F then "a": one part; E2 28: one part and "("; a lone continuation: one each.
  EXPECT_EQ(steps_of(R"({"type": "ByteLevel"})", {"\u00F0\u0141", "a", "\u00E2(", "\u0122\u0122"}),
            Texts({"", kBad + "a", kBad + "(", kBad + kBad, ""}));
}

TEST(Decoder, ByteFallbackWaitsForTheEndOfARun) {
  EXPECT_EQ(steps_of(R"({"type": "ByteFallback"})", {"a", "<0xE2>", "<0x96>", "<0x81>", "b"}),
            Texts({"a", "", "", "", "\u2581b", ""}));
  EXPECT_EQ(steps_of(R"({"type": "ByteFallback"})", {"<0x61>", "<0xc3>", "<0xA9>"}),
            Texts({"", "", "", "a\u00E9"}));
}

TEST(Decoder, ByteFallbackGivesUpAWholeRun) {
  // The 61 is lost with the rest; what comes after the run's fate is known needs no waiting.
  EXPECT_EQ(steps_of(R"({"type": "ByteFallback"})", {"<0x61>", "<0xE2>", "<0x28>", "<0x62>", "c"}),
            Texts({"", "", kBad + kBad + kBad, kBad, "c", ""}));
  EXPECT_EQ(steps_of(R"({"type": "ByteFallback"})", {"<0xE2>", "<0x96>", "c"}),
            Texts({"", "", kBad + kBad + "c", ""}));
  EXPECT_EQ(steps_of(R"({"type": "ByteFallback"})", {"<0x61>", "<0xE2>"}),
            Texts({"", "", kBad + kBad}));
}

TEST(Decoder, ByteFallbackTakesByteTokensOnly) {
  EXPECT_EQ(
      steps_of(R"({"type": "ByteFallback"})", {"<0x4>", "<0x4G>", "<0x41", "0x41>", "<1x41>"}),
      Texts({"<0x4>", "<0x4G>", "<0x41", "0x41>", "<1x41>", ""}));
}

TEST(Decoder, Replace) {
  const std::string text = R"({"type": "Replace", "pattern": {"String": "_"}, "content": " "})";
  EXPECT_EQ(steps_of(text, {"_a_", "b"}), Texts({" a ", "b", ""}));
  const std::string regex = R"({"type": "Replace", "pattern": {"Regex": "a+"}, "content": "x"})";
  EXPECT_EQ(steps_of(regex, {"aab", "a"}), Texts({"xb", "x", ""}));
}

TEST(Decoder, ReplaceAfterFuseCrossesPieces) {
  const std::string fused =
      sequence(std::string(kFuse) +
               R"(, {"type": "Replace", "pattern": {"String": "aab"}, "content": "-"})");
  EXPECT_EQ(steps_of(fused, {"xa", "a", "ab", "a"}), Texts({"x", "", "a-", "", "a"}));
  EXPECT_EQ(steps_of(fused, {"aabaab", "c"}), Texts({"--", "c", ""}));
  // A regular expression may need all of the text.
  const std::string regex = sequence(
      std::string(kFuse) + R"(, {"type": "Replace", "pattern": {"Regex": "a+"}, "content": "-"})");
  EXPECT_EQ(steps_of(regex, {"xa", "ab"}), Texts({"", "", "x-b"}));
}

TEST(Decoder, StripEachPiece) {
  const std::string strip = R"({"type": "Strip", "content": "H", "start": 1, "stop": 0})";
  EXPECT_EQ(steps_of(strip, {"Hey", " friend!", "HHH"}), Texts({"ey", " friend!", "HH", ""}));
  const std::string both = R"({"type": "Strip", "content": "y", "start": 1, "stop": 2})";
  EXPECT_EQ(steps_of(both, {"yyayyy", "yyyy", "y"}), Texts({"yay", "y", "", ""}));
}

TEST(Decoder, StripAfterFuseStripsTheText) {
  const std::string start = sequence(
      std::string(kFuse) + R"(, {"type": "Strip", "content": " ", "start": 1, "stop": 0})");
  EXPECT_EQ(steps_of(start, {" a", " b"}), Texts({"a", " b", ""}));
  EXPECT_EQ(steps_of(start, {"", " ", " ", "a"}), Texts({"", "", " ", "a", ""}));
  EXPECT_EQ(steps_of(start, {"a", " b"}), Texts({"a", " b", ""}));
  const std::string stop = sequence(
      std::string(kFuse) + R"(, {"type": "Strip", "content": "\u00e9", "start": 1, "stop": 2})");
  EXPECT_EQ(steps_of(stop, {"\u00E9a\u00E9", "\u00E9\u00E9", "b", "\u00E9"}),
            Texts({"a", "\u00E9", "\u00E9\u00E9b", "", ""}));
}

TEST(Decoder, MetaspaceDropsThePrefixOfTheFirstPiece) {
  const std::string_view always = R"({"type": "Metaspace", "replacement": "\u2581"})";
  EXPECT_EQ(steps_of(always, {"\u2581Hey", "\u2581you", "\u2581"}),
            Texts({"Hey", " you", " ", ""}));
  const std::string_view never =
      R"({"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "never"})";
  EXPECT_EQ(steps_of(never, {"\u2581Hey"}), Texts({" Hey", ""}));
  const std::string_view older =
      R"({"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": false})";
  EXPECT_EQ(steps_of(older, {"\u2581Hey"}), Texts({" Hey", ""}));
}

TEST(Decoder, BpeSuffixIsNoSpaceAtTheEnd) {
  EXPECT_EQ(steps_of(R"({"type": "BPEDecoder", "suffix": "</w>"})", {"he", "y</w>", "you</w>"}),
            Texts({"", "he", "y ", "you"}));
}

TEST(Decoder, WordPiece) {
  EXPECT_EQ(steps_of(R"({"type": "WordPiece", "prefix": "##", "cleanup": false})",
                     {"##ue", "Ara", "##jo", "."}),
            Texts({"##ue", " Ara", "jo", " .", ""}));
  EXPECT_EQ(steps_of(R"({"type": "WordPiece", "prefix": "##", "cleanup": true})", {"Hi", "!"}),
            Texts({"Hi", "!", ""}));
}

// Llama 2: the space of the first word goes, also where the first piece is a run of bytes.
TEST(Decoder, LlamaSequence) {
  const std::string llama = sequence(
      R"({"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
         {"type": "ByteFallback"}, {"type": "Fuse"},
         {"type": "Strip", "content": " ", "start": 1, "stop": 0})");
  EXPECT_EQ(steps_of(llama, {"\u2581Hi", "\u2581", "<0xC3>", "<0xA9>", "."}),
            Texts({"Hi", " ", "", "", "\u00E9.", ""}));
  EXPECT_EQ(steps_of(llama, {"<0x20>", "\u2581a"}), Texts({"", " a", ""}));
}

TEST(Decoder, WholePiecesAfterFuse) {
  // ByteFallback sees one piece, which is no byte token.
  EXPECT_EQ(steps_of(sequence(std::string(kFuse) + R"(, {"type": "ByteFallback"})"),
                     {"<0x41>", "<0x42>"}),
            Texts({"", "", "<0x41><0x42>"}));
  EXPECT_EQ(
      steps_of(sequence(std::string(kFuse) + R"(, {"type": "ByteFallback"})"), {"<0x", "41>"}),
      Texts({"", "", "A"}));
}

TEST(Decoder, RefusesGrowthWithoutEnd) {
  std::string steps = std::string(kFuse);
  for (int i = 0; i < 40; ++i) {
    steps += R"(, {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"})";
  }
  auto decoder = read_section<Decoder>("decoder", sequence(steps));
  ASSERT_TRUE(decoder) << error_of(decoder);
  std::string text;
  EXPECT_EQ(error_of(decoder->push("a", text)),
            "tokenizer: a step makes a text of 2097152 bytes, expected at most 1048576");
}

TEST(Decoder, Refusals) {
  const auto error = [](std::string_view section) {
    return error_of(read_section<Decoder>("decoder", section));
  };
  EXPECT_EQ(error(R"({"type": "CTC"})"),
            "test: decoder: type 'CTC' is not supported (supported: ByteLevel, Replace, "
            "ByteFallback, Fuse, Strip, Metaspace, BPEDecoder, WordPiece, Sequence)");
  EXPECT_EQ(error(R"({"type": "Strip", "content": "ab", "start": 1, "stop": 0})"),
            "test: decoder: 'content' is 'ab', expected one character");
  EXPECT_EQ(error(R"({"type": "Strip", "content": "a", "start": -1, "stop": 0})"),
            "test: decoder: 'start' is -1, expected a whole number from 0 to 4294967295");
  EXPECT_EQ(error(R"({"type": "BPEDecoder", "suffix": ""})"),
            "test: decoder: 'suffix' is empty, expected some text");
  EXPECT_EQ(error(R"({"type": "Sequence", "decoders": 3})"),
            "test: decoder: 'decoders' is 3, expected an array");
}

}  // namespace
}  // namespace handloom::tokenizer
