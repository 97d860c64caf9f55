#include "tokenizer/pre_tokenizer.h"

#include "tests/tokenizer/support.h"

namespace handloom::tokenizer {
namespace {

using Texts = std::vector<std::string>;

Texts words_of(std::string_view section, std::string_view text, bool at_start = true) {
  const auto pre_tokenizer = read_section<PreTokenizer>("pre_tokenizer", section);
  EXPECT_TRUE(pre_tokenizer) << error_of(pre_tokenizer);
  if (!pre_tokenizer) return {};
  const auto words = pre_tokenizer->split(std::string(text), at_start);
  if (!words) return {words.error().message};
  Texts texts;
  for (size_t i = 0; i < words->parts.size(); ++i) texts.emplace_back(words->part(i));
  return texts;
}

std::string split_section(std::string_view pattern, std::string_view behavior,
                          bool invert = false) {
  return fmt::format(R"({{"type": "Split", "pattern": {}, "behavior": "{}", "invert": {}}})",
                     pattern, behavior, invert);
}

TEST(PreTokenizer, NullMakesOneWord) {
  EXPECT_EQ(words_of("null", "a b"), Texts({"a b"}));
  EXPECT_EQ(words_of("null", ""), Texts());
}

TEST(PreTokenizer, SplitBehaviors) {
  const std::string_view dash = R"({"String": "-"})";
  const std::string_view text = "the-final--countdown";
  EXPECT_EQ(words_of(split_section(dash, "Removed"), text), Texts({"the", "final", "countdown"}));
  EXPECT_EQ(words_of(split_section(dash, "Isolated"), text),
            Texts({"the", "-", "final", "-", "-", "countdown"}));
  EXPECT_EQ(words_of(split_section(dash, "MergedWithPrevious"), text),
            Texts({"the-", "final-", "-", "countdown"}));
  EXPECT_EQ(words_of(split_section(dash, "MergedWithNext"), text),
            Texts({"the", "-final", "-", "-countdown"}));
  EXPECT_EQ(words_of(split_section(dash, "Contiguous"), text),
            Texts({"the", "-", "final", "--", "countdown"}));
}

TEST(PreTokenizer, SplitAtTheEnds) {
  const std::string_view dash = R"({"String": "-"})";
  EXPECT_EQ(words_of(split_section(dash, "Removed"), "--a-"), Texts({"a"}));
  EXPECT_EQ(words_of(split_section(dash, "MergedWithPrevious"), "-a-"), Texts({"-", "a-"}));
  EXPECT_EQ(words_of(split_section(dash, "MergedWithNext"), "-a-"), Texts({"-a", "-"}));
  EXPECT_EQ(words_of(split_section(dash, "Removed"), "-"), Texts());
}

TEST(PreTokenizer, InvertedSplitMatchesWords) {
  const std::string_view words = R"({"Regex": "\\w+|[^\\w\\s]+"})";
  const std::string_view text = "How are you doing?";
  EXPECT_EQ(words_of(split_section(words, "Removed", true), text),
            Texts({"How", "are", "you", "doing", "?"}));
  EXPECT_EQ(words_of(split_section(words, "MergedWithPrevious", true), text),
            Texts({"How ", "are ", "you ", "doing", "?"}));
  EXPECT_EQ(words_of(split_section(words, "Contiguous", true), text),
            Texts({"How", " ", "are", " ", "you", " ", "doing?"}));
}

TEST(PreTokenizer, EmptyPatternSplitsIntoCharacters) {
  EXPECT_EQ(words_of(split_section(R"({"String": ""})", "Isolated"), "a\u00E9\U0001F600"),
            Texts({"a", "\u00E9", "\U0001F600"}));
  EXPECT_EQ(words_of(split_section(R"({"Regex": "b*"})", "Isolated"), "abba"),
            Texts({"a", "bb", "a"}));
}

TEST(PreTokenizer, ByteLevel) {
  EXPECT_EQ(
      words_of(R"({"type": "ByteLevel", "add_prefix_space": false})", "Hello  I'm 12 caf\u00E9!\n"),
      Texts({"Hello", "\u0120", "\u0120I", "'m", "\u012012", "\u0120caf\u00C3\u00A9", "!",
             "\u010A"}));
  EXPECT_EQ(words_of(R"({"type": "ByteLevel"})", "a b"), Texts({"\u0120a", "\u0120b"}));
  EXPECT_EQ(words_of(R"({"type": "ByteLevel"})", " a"), Texts({"\u0120a"}));
  EXPECT_EQ(
      words_of(R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false})", "a b"),
      Texts({"a\u0120b"}));
}

TEST(PreTokenizer, Metaspace) {
  const auto meta = [](std::string_view more, std::string_view text, bool at_start = true) {
    return words_of(fmt::format(R"({{"type": "Metaspace", "replacement": "_"{}}})", more), text,
                    at_start);
  };
  EXPECT_EQ(meta("", "Hey  you"), Texts({"_Hey", "_", "_you"}));
  EXPECT_EQ(meta("", " Hey"), Texts({"_Hey"}));
  EXPECT_EQ(meta("", "_Hey"), Texts({"_Hey"}));
  EXPECT_EQ(meta(R"(, "prepend_scheme": "never")", "Hey you"), Texts({"Hey", "_you"}));
  EXPECT_EQ(meta(R"(, "add_prefix_space": false)", "Hey you"), Texts({"Hey", "_you"}));
  EXPECT_EQ(meta(R"(, "add_prefix_space": true)", "Hey you"), Texts({"_Hey", "_you"}));
  EXPECT_EQ(meta(R"(, "prepend_scheme": "first")", "Hey"), Texts({"_Hey"}));
  EXPECT_EQ(meta(R"(, "prepend_scheme": "first")", "Hey", false), Texts({"Hey"}));
  EXPECT_EQ(meta(R"(, "split": false)", "Hey you"), Texts({"_Hey_you"}));
}

TEST(PreTokenizer, MetaspaceFirstIsTheFirstWordOnly) {
  const std::string section = R"({"type": "Sequence", "pretokenizers": [
      {"type": "Digits"},
      {"type": "Metaspace", "replacement": "_", "prepend_scheme": "first"}]})";
  EXPECT_EQ(words_of(section, "a1b"), Texts({"_a", "1", "b"}));
  const std::string removed = R"({"type": "Sequence", "pretokenizers": [
      {"type": "WhitespaceSplit"},
      {"type": "Metaspace", "replacement": "_", "prepend_scheme": "first"}]})";
  EXPECT_EQ(words_of(removed, " a b"), Texts({"a", "b"}));
  EXPECT_EQ(words_of(removed, "a b"), Texts({"_a", "b"}));
}

TEST(PreTokenizer, Digits) {
  EXPECT_EQ(words_of(R"({"type": "Digits", "individual_digits": true})", "a12\u00BDb"),
            Texts({"a", "1", "2", "\u00BD", "b"}));
  EXPECT_EQ(words_of(R"({"type": "Digits", "individual_digits": false})", "a12 3"),
            Texts({"a", "12", " ", "3"}));
}

TEST(PreTokenizer, Punctuation) {
  EXPECT_EQ(words_of(R"({"type": "Punctuation"})", "a, b$\u00BF\u3002c"),
            Texts({"a", ",", " b", "$", "\u00BF", "\u3002", "c"}));
  EXPECT_EQ(words_of(R"({"type": "Punctuation", "behavior": "Contiguous"})", "a!!b"),
            Texts({"a", "!!", "b"}));
  // A symbol outside ASCII is not punctuation.
  EXPECT_EQ(words_of(R"({"type": "Punctuation"})", "a\u20ACb"), Texts({"a\u20ACb"}));
}

TEST(PreTokenizer, Whitespace) {
  EXPECT_EQ(words_of(R"({"type": "Whitespace"})", "Hey, m\u00E1n_1!? \u0939\u093F"),
            Texts({"Hey", ",", "m\u00E1n_1", "!?", "\u0939\u093F"}));
  EXPECT_EQ(words_of(R"({"type": "WhitespaceSplit"})", "Hey,\u3000you\t\n!"),
            Texts({"Hey,", "you", "!"}));
}

TEST(PreTokenizer, SequenceSplitsFurther) {
  EXPECT_EQ(words_of(R"({"type": "Sequence", "pretokenizers": [
                        {"type": "WhitespaceSplit"}, {"type": "Punctuation"},
                        {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]})",
                     "a b\u00E9."),
            Texts({"a", "b\u00C3\u00A9", "."}));
}

TEST(PreTokenizer, Refusals) {
  const auto error = [](std::string_view section) {
    return error_of(read_section<PreTokenizer>("pre_tokenizer", section));
  };
  EXPECT_TRUE(error(R"({"type": "BertPreTokenizer"})")
                  .starts_with("test: pre_tokenizer: type 'BertPreTokenizer' is not supported "
                               "(supported: ByteLevel,"));
  EXPECT_EQ(error(R"({"type": "Split", "pattern": {"String": "a"}, "behavior": "Gone"})"),
            "test: pre_tokenizer: 'behavior' is 'Gone', expected Removed, Isolated, "
            "MergedWithPrevious, MergedWithNext or Contiguous");
  EXPECT_EQ(error(R"({"type": "Split", "pattern": {"String": "a"}})"),
            "test: pre_tokenizer: 'behavior' is 'missing', expected Removed, Isolated, "
            "MergedWithPrevious, MergedWithNext or Contiguous");
  EXPECT_EQ(error(R"({"type": "Metaspace", "replacement": "ab"})"),
            "test: pre_tokenizer: 'replacement' is 'ab', expected one character");
  EXPECT_EQ(error(R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"})"),
            "test: pre_tokenizer: 'prepend_scheme' is 'last', expected always, first or never");
  EXPECT_EQ(error(R"({"type": "ByteLevel", "use_regex": 1})"),
            "test: pre_tokenizer: 'use_regex' is 1, expected true or false");
}

TEST(PreTokenizer, AHostilePatternEndsInAnError) {
  const Texts words = words_of(split_section(R"({"Regex": "(x+x+)+y"})", "Isolated"),
                               fmt::format("{}zy", std::string(40, 'x')));
  ASSERT_EQ(words.size(), 1u);
  EXPECT_EQ(words[0],
            "test: pre_tokenizer: pattern: the pattern '(x+x+)+y' gave up on a text of 42 bytes: "
            "match limit exceeded");
}

// What the JIT's small stack cannot hold, the interpreter does.
TEST(PreTokenizer, LongMatches) {
  const std::string text(200'000, 'x');
  EXPECT_EQ(words_of(split_section(R"({"Regex": "(?:x|y)+"})", "Isolated"), text), Texts({text}));
}

}  // namespace
}  // namespace handloom::tokenizer
