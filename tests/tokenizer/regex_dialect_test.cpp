// Oniguruma's meaning of a pattern, kept: by the rewritten text and by what it matches.
#include "tokenizer/regex_dialect.h"

#include "tests/tokenizer/support.h"
#include "tokenizer/pattern.h"

namespace handloom::tokenizer {
namespace {

using Texts = std::vector<std::string>;

std::string rewritten(std::string_view pattern) {
  const auto result = common_dialect(pattern, "test");
  return result ? *result : result.error().message;
}

Texts matches(std::string_view regex, std::string_view text) {
  const auto pattern = Pattern::from_regex(regex, "test");
  if (!pattern) return {pattern.error().message};
  const auto found = pattern->find_all(text);
  if (!found) return {found.error().message};
  Texts texts;
  for (const Match& match : *found)
    texts.emplace_back(text.substr(match.begin, match.end - match.begin));
  return texts;
}

TEST(RegexDialect, LeavesPlainPatternsAlone) {
  EXPECT_EQ(rewritten(R"((?i:'s|'t)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?)"),
            R"((?i:'s|'t)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?)");
}

TEST(RegexDialect, WritesShorthandsOut) {
  EXPECT_EQ(rewritten(R"(\s+(?!\S)\d\D)"), R"(\p{White_Space}+(?!\P{White_Space})\p{Nd}\P{Nd})");
  EXPECT_EQ(rewritten(R"(\w)"), R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}])");
  EXPECT_EQ(rewritten(R"([^\s\w])"), R"([^\p{White_Space}\p{Alphabetic}\p{M}\p{Nd}\p{Pc}])");
  EXPECT_EQ(rewritten(R"(\h\H)"), "[0-9A-Fa-f][^0-9A-Fa-f]");
  EXPECT_EQ(rewritten(R"(\\s\[\w)"), R"(\\s\[[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}])");
}

TEST(RegexDialect, ScriptsWithoutExtensions) {
  EXPECT_EQ(rewritten(R"(\p{Han}\P{Greek}\p{^Lu}\p{Alpha})"),
            R"(\p{sc=Han}\P{sc=Greek}\P{Lu}\p{Alphabetic})");
  // U+3001 is shared by several scripts, so it is not Han.
  EXPECT_EQ(matches(R"(\p{Han}+)", "\u6F22\u5B57\u3001\u304B"), Texts({"\u6F22\u5B57"}));
}

TEST(RegexDialect, WordsAreUnicode) {
  // A vowel sign (Mc), a connector and a digit are word characters; a fraction is not.
  EXPECT_EQ(matches(R"(\w+)", "\u0939\u093F_\u0663 \u00BD"), Texts({"\u0939\u093F_\u0663"}));
  EXPECT_EQ(matches(R"([\W_]+)", "a_\u00BD-b"), Texts({"_\u00BD-"}));
  EXPECT_EQ(matches(R"([^\W_]+)", "a_b"), Texts({"a", "b"}));
  EXPECT_EQ(matches(R"(\s)", "\u180E\u0085\u3000"), Texts({"\u0085", "\u3000"}));
}

TEST(RegexDialect, ClassesInClasses) {
  EXPECT_EQ(matches("[a-d&&[^b]]+", "abcd"), Texts({"a", "cd"}));
  EXPECT_EQ(matches("[a[xy]]+", "axyb"), Texts({"axy"}));
  EXPECT_EQ(matches("[^a[xy]]+", "axyb"), Texts({"b"}));
  EXPECT_EQ(matches(R"([\p{L}&&[^\p{Han}]]+)", "a\u6F22b"), Texts({"a", "b"}));
  EXPECT_EQ(matches("[]a]+", "]a"), Texts({"]a"}));
  EXPECT_EQ(matches("[[:digit:]x]+", "1x[:"), Texts({"1x"}));
}

TEST(RegexDialect, OptionsLinesAndCounts) {
  EXPECT_EQ(matches("(?m:a.b)", "a\nb"), Texts({"a\nb"}));  // m: the dot takes newlines
  EXPECT_EQ(matches("^.", "ab\ncd"), Texts({"a", "c"}));    // ^ is at each line
  EXPECT_EQ(matches(".$", "ab\ncd"), Texts({"b", "d"}));
  EXPECT_EQ(matches("a{,2}b", "aab"), Texts({"aab"}));
  EXPECT_EQ(matches(R"(\u00e9[\u00E8-\u00EA])", "\u00E9\u00E8"), Texts({"\u00E9\u00E8"}));
  EXPECT_EQ(matches("a(?#comment [)b", "ab"), Texts({"ab"}));
  EXPECT_EQ(matches("(?i:'S)", "'s'\u017F"), Texts({"'s", "'\u017F"}));
}

TEST(RegexDialect, Refusals) {
  EXPECT_EQ(rewritten("[a"), "test: the pattern '[a' has a class that does not end; add ']'");
  EXPECT_EQ(rewritten("[a&&]"), "test: the pattern '[a&&]' has an empty class");
  EXPECT_EQ(rewritten(std::string(60, '[')),
            "test: the pattern '" + std::string(60, '[') + "' nests its classes too deeply");
  EXPECT_EQ(matches(R"(\p{Klingon})", "a"),
            Texts({R"(test: the pattern '\p{Klingon}' is not a regular expression: unknown )"
                   R"(property after \P or \p)"}));
  for (const char* broken : {"\\", "[\\", "(?", "(?#", "(?i", "{,", "[[:", "\\u12", "\\p{", "[^",
                             "[&&", "[]", "a**", "(?<=a+)b", "\\C"}) {
    const auto pattern = Pattern::from_regex(broken, "test");
    if (!pattern) {
      EXPECT_TRUE(pattern.error().message.starts_with("test: the pattern '")) << broken;
    }
  }
}

}  // namespace
}  // namespace handloom::tokenizer
