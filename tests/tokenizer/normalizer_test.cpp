#include "tokenizer/normalizer.h"

#include "tests/tokenizer/support.h"

namespace handloom::tokenizer {
namespace {

std::string normalized(std::string_view section, std::string_view text) {
  const auto normalizer = read_section<Normalizer>("normalizer", section);
  EXPECT_TRUE(normalizer) << error_of(normalizer);
  if (!normalizer) return "unreadable";
  const auto result = normalizer->apply(text);
  return result ? *result : result.error().message;
}

TEST(Normalizer, NullChangesNothing) { EXPECT_EQ(normalized("null", " A\u0301 "), " A\u0301 "); }

TEST(Normalizer, UnicodeForms) {
  EXPECT_EQ(normalized(R"({"type": "NFC"})", "e\u0301 \uFB01 \u212B"), "\u00E9 \uFB01 \u00C5");
  EXPECT_EQ(normalized(R"({"type": "NFD"})", "\u00E9 \uFB01"), "e\u0301 \uFB01");
  EXPECT_EQ(normalized(R"({"type": "NFKC"})", "e\u0301 \uFB01 \u2460 \uFF21"), "\u00E9 fi 1 A");
  EXPECT_EQ(normalized(R"({"type": "NFKD"})", "\u00E9 \u00BD"), "e\u0301 1\u20442");
  // Hangul is composed by rule, not by table.
  EXPECT_EQ(normalized(R"({"type": "NFC"})", "\u1112\u1161\u11AB"), "\uD55C");
  EXPECT_EQ(normalized(R"({"type": "NFD"})", "\uD55C"), "\u1112\u1161\u11AB");
}

TEST(Normalizer, KeepsNulAndControls) {
  const std::string text("a\0b\x01", 4);
  EXPECT_EQ(normalized(R"({"type": "NFC"})", text + "\u00E9"), text + "\u00E9");
}

TEST(Normalizer, LowercaseIsFullAndWithoutContext) {
  EXPECT_EQ(normalized(R"({"type": "Lowercase"})", "\u00C0\u0416 \u0130 \u1E9E \u03A3"),
            "\u00E0\u0436 i\u0307 \u00DF \u03C3");
}

TEST(Normalizer, StripAccentsDropsMarksOnly) {
  EXPECT_EQ(normalized(R"({"type": "StripAccents"})", "e\u0301\u0304o \u00E9"), "eo \u00E9");
  EXPECT_EQ(normalized(R"({"type": "StripAccents"})", "\u0939\u093F"), "\u0939");  // Mc as well
}

TEST(Normalizer, StripTakesUnicodeWhiteSpace) {
  const std::string text = " \t\u00A0\u3000a b\u2003\n";
  EXPECT_EQ(normalized(R"({"type": "Strip", "strip_left": true, "strip_right": true})", text),
            "a b");
  EXPECT_EQ(normalized(R"({"type": "Strip", "strip_left": true, "strip_right": false})", text),
            "a b\u2003\n");
  EXPECT_EQ(normalized(R"({"type": "Strip", "strip_left": false, "strip_right": true})", text),
            " \t\u00A0\u3000a b");
  EXPECT_EQ(normalized(R"({"type": "Strip", "strip_left": true, "strip_right": true})", " \n"), "");
}

TEST(Normalizer, PrependNotToNothing) {
  EXPECT_EQ(normalized(R"({"type": "Prepend", "prepend": "_"})", "a"), "_a");
  EXPECT_EQ(normalized(R"({"type": "Prepend", "prepend": "_"})", ""), "");
}

TEST(Normalizer, ReplaceText) {
  EXPECT_EQ(
      normalized(R"({"type": "Replace", "pattern": {"String": "aa"}, "content": "b"})", "aaaaa.a"),
      "bba.a");
  // A text is no regular expression.
  EXPECT_EQ(normalized(R"({"type": "Replace", "pattern": {"String": "."}, "content": ""})", "a.b"),
            "ab");
}

TEST(Normalizer, ReplaceRegex) {
  EXPECT_EQ(normalized(R"({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "_"})",
                       "a b  c   d"),
            "a b_c_d");
  const std::string groups = R"_({"type": "Replace", "pattern": {"Regex": "(l)(e)"},
                                  "content": "$1"})_";
  EXPECT_EQ(normalized(groups, "le"), "$1");
  // Between all characters, never within one.
  EXPECT_EQ(
      normalized(R"({"type": "Replace", "pattern": {"String": ""}, "content": "-"})", "\u00E9b"),
      "-\u00E9-b-");
}

TEST(Normalizer, Nmt) {
  EXPECT_EQ(normalized(R"({"type": "Nmt"})",
                       "a\tb\x01"
                       "c\u200B\u2581\x7F"
                       "d"),
            "a bc  d");
}

TEST(Normalizer, ByteLevelSpellsBytes) {
  EXPECT_EQ(normalized(R"({"type": "ByteLevel"})", " a\u00E9"), "\u0120a\u00C3\u00A9");
}

TEST(Normalizer, SequencesRunInOrder) {
  EXPECT_EQ(normalized(R"({"type": "Sequence", "normalizers": [
                            {"type": "Sequence", "normalizers": [{"type": "NFD"}]},
                            {"type": "StripAccents"}, {"type": "Lowercase"},
                            {"type": "Prepend", "prepend": "A"}]})",
                       "\u00C9B"),
            "Aeb");
}

TEST(Normalizer, RefusesGrowthWithoutEnd) {
  std::string steps;
  for (int i = 0; i < 40; ++i) {
    steps += R"({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"},)";
  }
  steps.pop_back();
  EXPECT_EQ(normalized(R"({"type": "Sequence", "normalizers": [)" + steps + "]}", "a"),
            "tokenizer: a step makes a text of 2097152 bytes, expected at most 1048576");
}

TEST(Normalizer, Refusals) {
  const auto error = [](std::string_view section) {
    return error_of(read_section<Normalizer>("normalizer", section));
  };
  EXPECT_EQ(error(R"({"type": "Precompiled", "precompiled_charsmap": ""})"),
            "test: normalizer: type 'Precompiled' is not supported (supported: NFC, NFD, NFKC, "
            "NFKD, Lowercase, StripAccents, Strip, Prepend, Replace, Nmt, ByteLevel, Sequence)");
  EXPECT_EQ(error("[]"), "test: normalizer: is an array of 0, expected an object");
  EXPECT_EQ(error("{}"), "test: normalizer: 'type' is missing, expected a string");
  EXPECT_EQ(error(R"({"type": "Sequence", "normalizers": [{"type": "NFC"}, 3]})"),
            "test: normalizer[1]: is 3, expected an object");
  EXPECT_EQ(error(R"({"type": "Sequence"})"),
            "test: normalizer: 'normalizers' is missing, expected an array");
  EXPECT_EQ(error(R"({"type": "Prepend"})"),
            "test: normalizer: 'prepend' is missing, expected a string");
  EXPECT_EQ(error(R"({"type": "Replace", "pattern": {}, "content": ""})"),
            "test: normalizer: pattern: has neither, expected either 'String' or 'Regex'");
  EXPECT_EQ(error(R"({"type": "Replace", "pattern": {"Regex": "(a"}, "content": ""})"),
            "test: normalizer: pattern: the pattern '(a' is not a regular expression: missing "
            "closing parenthesis");
}

TEST(Normalizer, RefusesDeepSequences) {
  std::string section = R"({"type": "NFC"})";
  for (int i = 0; i < 9; ++i) {
    section = R"({"type": "Sequence", "normalizers": [)" + section + "]}";
  }
  const std::string error = error_of(read_section<Normalizer>("normalizer", section));
  EXPECT_TRUE(error.ends_with("nests Sequences deeper than 8")) << error;
}

}  // namespace
}  // namespace handloom::tokenizer
