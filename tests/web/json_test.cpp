// The page's own JSON parser against nlohmann-json, on texts that were damaged by formula: both
// take the same ones, and read the same values. Under the sanitizers, like all unit tests.
#include "base/json.h"
#include "base/random.h"
#include "tests/support/json_tree.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace handloom::test {

std::string trees_of_original(std::string_view text) {
  return trees_of<Json>(text, [](const Json& object, auto f) {
    for (const auto& member : object.items()) f(member.key(), member.value());
  });
}

namespace {

const char* const kTexts[] = {
    R"({"a": [1, -2, 3.5e-7, 1E+3, 0, -0, 0.0], "b": {"c": null, "d": true, "e": false}})",
    R"(["\u00e9\ud83d\ude00\n\"\\\/\b\f\r\t", "plain", "", "\u0000"])",
    "[\"\xc3\xa9\", \"\xf0\x9f\x98\x80\", \"\xe2\x82\xac\", \"\xed\x9f\xbf\", "
    "\"\xf4\x8f\xbf\xbf\"]",
    R"({"k": 1, "k": 2, "": 3, "j": {"k": [[[[]]], {}]}})",
    R"([18446744073709551615, 18446744073709551616, -9223372036854775808, -9223372036854775809])",
    R"([1e308, 1e309, -1e-400, 123456789012345678901234567890, 0.1, 1.7976931348623157e308])",
    " \t\r\n true ",
    R"({"__metadata__": {"format": "pt"}, "w": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}})",
};

const std::string_view kPieces[] = {
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "e",
    "E",
    ".",
    "-",
    "+",
    "0",
    "9",
    "00",
    "1e999",
    "-0",
    "null",
    "tru",
    "\\u",
    "\\ud800",
    "\\udc00",
    "\xff",
    "\xc0\x80",
    "\xed\xa0\x80",
    "\xf5\x80\x80\x80",
    "\xe2\x82",
    "\x01",
    "\x7f",
    " ",
    "\n",
    "//",
};

/// `text` with a few changes, which `seed` chooses.
std::string damaged(std::string text, uint64_t seed) {
  uint32_t draw = 0;
  const auto below = [&](size_t n) {
    return random_bits(seed, draw++, 0) % std::max<size_t>(n, 1);
  };
  for (size_t n = 1 + below(3); n > 0; --n) {
    const size_t at = below(text.size() + 1), length = below(8);
    switch (below(5)) {
      case 0: text.insert(at, kPieces[below(std::size(kPieces))]); break;
      case 1: text.erase(at, length); break;
      case 2: text.insert(at, text.substr(below(text.size() + 1), length)); break;
      case 3: text = text.substr(0, at); break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(1 + below(255));
    }
  }
  return text;
}

TEST(PagesJson, TakesAndReadsWhatTheOriginalDoes) {
  for (const char* text : kTexts)
    EXPECT_EQ(trees_of_stand_in(text), trees_of_original(text)) << text;
}

TEST(PagesJson, AlsoWhatIsDamaged) {
  constexpr uint32_t kEach = 2000;
  uint32_t n_taken = 0, n_refused = 0;
  for (uint32_t i = 0; i < std::size(kTexts) * kEach; ++i) {
    const std::string text = damaged(kTexts[i % std::size(kTexts)], i);
    const std::string want = trees_of_original(text);
    ASSERT_EQ(trees_of_stand_in(text), want) << i << ": " << text;
    ++(want == "refused" ? n_refused : n_taken);
  }
  EXPECT_GT(n_taken, 1000u);
  EXPECT_GT(n_refused, 5000u);
}

TEST(PagesJson, ReadsTheFilesOfModels) {
  const std::string golden = HANDLOOM_GOLDEN_DIR;
  for (const char* name :
       {"/llama2/tokenizer.json", "/phi3/config.json", "/starter/reference.json"}) {
    std::ifstream file(golden + name, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
    ASSERT_FALSE(text.empty()) << name;
    EXPECT_TRUE(trees_of_stand_in(text) == trees_of_original(text)) << name;
  }
}

/// Where they differ on purpose: a page's stack is small.
TEST(PagesJson, DeepNestingIsRefused) {
  const auto nested = [](size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_EQ(trees_of_stand_in(nested(400)), trees_of_original(nested(400)));
  EXPECT_EQ(trees_of_stand_in(nested(200'000)), "refused");
}

}  // namespace
}  // namespace handloom::test
