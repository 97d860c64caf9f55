#include "tests/tokenizer/support.h"

namespace handloom::tokenizer {
namespace {

Ids encoded(const Result<Tokenizer>& tokenizer, std::string_view text) {
  EXPECT_TRUE(tokenizer) << error_of(tokenizer);
  if (!tokenizer) return {};
  const auto ids = tokenizer->encode(text);
  EXPECT_TRUE(ids) << error_of(ids);
  return ids.value_or(Ids{});
}

TEST(Bpe, MergesInRankOrderThenFromTheLeft) {
  const auto tokenizer = tokenizer_of(R"({"type": "BPE",
      "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "bc": 4, "abc": 5, "aa": 6},
      "merges": ["b c", "a b", "a bc", "a a"]})");
  EXPECT_EQ(encoded(tokenizer, "abc"), Ids({5}));  // bc, then a bc
  EXPECT_EQ(encoded(tokenizer, "ab"), Ids({3}));
  EXPECT_EQ(encoded(tokenizer, "abab"), Ids({3, 3}));
  EXPECT_EQ(encoded(tokenizer, "aaa"), Ids({6, 0}));  // the leftmost of equals
  EXPECT_EQ(encoded(tokenizer, "aab"), Ids({0, 3}));  // a b ranks before a a
  EXPECT_EQ(encoded(tokenizer, ""), Ids());
}

TEST(Bpe, MergesAsPairsAndAsText) {
  const std::string_view vocab = R"("vocab": {"a": 0, "b": 1, "ab": 2, " ": 3, "a ": 4})";
  EXPECT_EQ(encoded(tokenizer_of(fmt::format(R"({{{}, "merges": [["a", "b"]]}})", vocab)), "ab"),
            Ids({2}));
  EXPECT_EQ(encoded(tokenizer_of(fmt::format(R"({{{}, "merges": ["a b"]}})", vocab)), "ab"),
            Ids({2}));
  // Only pairs can say a space.
  EXPECT_EQ(encoded(tokenizer_of(fmt::format(R"({{{}, "merges": [["a", " "]]}})", vocab)), "a b"),
            Ids({4, 1}));
  EXPECT_EQ(
      encoded(tokenizer_of(fmt::format(R"({{{}, "merges": ["#version: 0.2", "a b"]}})", vocab)),
              "ab"),
      Ids({2}));
}

TEST(Bpe, UnknownCharacters) {
  const std::string_view model = R"({{"vocab": {{"a": 0, "?": 1, "b": 2}}, "merges": [],
                                     "unk_token": {}, "fuse_unk": {}}})";
  EXPECT_EQ(encoded(tokenizer_of(fmt::format(fmt::runtime(model), "\"?\"", false)), "axyb"),
            Ids({0, 1, 1, 2}));
  EXPECT_EQ(encoded(tokenizer_of(fmt::format(fmt::runtime(model), "\"?\"", true)), "axybz"),
            Ids({0, 1, 2, 1}));
  // Without an unknown token they are dropped.
  EXPECT_EQ(encoded(tokenizer_of(fmt::format(fmt::runtime(model), "null", false)), "axyb"),
            Ids({0, 2}));
}

TEST(Bpe, ByteFallback) {
  const std::string_view vocab =
      R"("a": 0, "?": 1, "<0xC3>": 2, "<0xA9>": 3, "<0xE2>": 4, "<0xC3><0xA9>": 5)";
  const auto tokenizer = tokenizer_of(fmt::format(
      R"({{"vocab": {{{}}}, "merges": [], "unk_token": "?", "byte_fallback": true}})", vocab));
  EXPECT_EQ(encoded(tokenizer, "a\u00E9"), Ids({0, 2, 3}));
  // All bytes of a character or none: E2 alone does not help.
  EXPECT_EQ(encoded(tokenizer, "\u2581a"), Ids({1, 0}));
  // Byte tokens merge like others.
  const auto merging = tokenizer_of(fmt::format(
      R"({{"vocab": {{{}}}, "merges": ["<0xC3> <0xA9>"], "byte_fallback": true}})", vocab));
  EXPECT_EQ(encoded(merging, "\u00E9"), Ids({5}));
}

TEST(Bpe, IgnoreMergesTakesWholeWords) {
  const std::string_view model = R"({{"vocab": {{"a": 0, "b": 1, "ab": 2, "aba": 3}},
                                     "merges": ["a b"], "ignore_merges": {}}})";
  EXPECT_EQ(encoded(tokenizer_of(fmt::format(fmt::runtime(model), true)), "aba"), Ids({3}));
  EXPECT_EQ(encoded(tokenizer_of(fmt::format(fmt::runtime(model), false)), "aba"), Ids({2, 0}));
  EXPECT_EQ(encoded(tokenizer_of(fmt::format(fmt::runtime(model), true)), "abab"), Ids({2, 2}));
}

TEST(Bpe, PrefixAndSuffix) {
  const auto tokenizer = tokenizer_of(R"({"vocab": {"a": 0, "##b": 1, "##c</w>": 2, "ab": 3,
      "abc</w>": 4, "a</w>": 5}, "merges": ["a ##b", "ab ##c</w>"],
      "continuing_subword_prefix": "##", "end_of_word_suffix": "</w>"})",
                                      R"("pre_tokenizer": {"type": "WhitespaceSplit"})");
  EXPECT_EQ(encoded(tokenizer, "abc a"), Ids({4, 5}));
}

TEST(Bpe, ALaterMergeOfTheSamePairCounts) {
  const auto tokenizer = tokenizer_of(R"({"vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "bc": 4},
      "merges": ["a b", "b c", "a b"]})");
  EXPECT_EQ(encoded(tokenizer, "abc"), Ids({0, 4}));
}

// One word of many merges: the queue must keep this far from quadratic. Quadratic is 10^10 steps.
TEST(Bpe, ALongWordIsNotQuadratic) {
  const auto tokenizer = tokenizer_of(R"({"vocab": {"a": 0, "aa": 1, "aaaa": 2, "aaaaaaaa": 3},
      "merges": ["a a", "aa aa", "aaaa aaaa"]})");
  const Ids ids = encoded(tokenizer, std::string(100'003, 'a'));
  ASSERT_EQ(ids.size(), 12'502u);
  EXPECT_EQ(ids[0], 3u);
  EXPECT_EQ(Ids(ids.end() - 2, ids.end()), Ids({1, 0}));
}

TEST(Bpe, Refusals) {
  const auto error = [](std::string_view model) { return error_of(tokenizer_of(model)); };
  EXPECT_EQ(error(R"({"type": "Unigram", "vocab": []})"),
            "t.json: model: type 'Unigram' is not supported (supported: BPE)");
  EXPECT_EQ(error(R"({"type": "WordPiece", "vocab": {}})"),
            "t.json: model: type 'WordPiece' is not supported (supported: BPE)");
  EXPECT_EQ(error(R"({"vocab": {}})"),
            "t.json: model: type 'missing' is not supported (supported: BPE)");
  EXPECT_EQ(error("7"), "t.json: 'model' is 7, expected an object");
  EXPECT_EQ(error(R"({"type": "BPE", "merges": []})"),
            "t.json: model: 'vocab' is missing, expected an object");
  EXPECT_EQ(error(R"({"type": "BPE", "merges": [], "vocab": ["a"]})"),
            "t.json: model: 'vocab' is an array of 1, expected an object");
  EXPECT_EQ(error(R"({"type": "BPE", "vocab": {}})"),
            "t.json: model: 'merges' is missing, expected an array");
  EXPECT_EQ(error(R"({"merges": [], "vocab": {"a": -1}})"),
            "t.json: model: vocab: piece 'a' has id -1, expected 0 to 16777215");
  EXPECT_EQ(error(R"({"merges": [], "vocab": {"a": 2147483648}})"),
            "t.json: model: vocab: piece 'a' has id 2147483648, expected 0 to 16777215");
  EXPECT_EQ(error(R"({"merges": [], "vocab": {"a": 1e99}})"),
            "t.json: model: vocab: piece 'a' has id 1e+99, expected 0 to 16777215");
  EXPECT_EQ(error(R"({"merges": [], "vocab": {"a": "1"}})"),
            "t.json: model: vocab: piece 'a' has id \"1\", expected 0 to 16777215");
  EXPECT_EQ(error(R"({"merges": [], "vocab": {"a": 1, "b": 1}})"),
            "t.json: model: vocab: pieces 'a' and 'b' both have id 1");
  EXPECT_EQ(error(R"({"merges": ["a b"], "vocab": {"a": 1}})"),
            "t.json: model: merges[0]: piece 'b' is not in the vocabulary");
  EXPECT_EQ(error(R"({"merges": ["a b"], "vocab": {"a": 1, "b": 2}})"),
            "t.json: model: merges[0]: piece 'ab' is not in the vocabulary");
  EXPECT_EQ(error(R"({"merges": ["ab"], "vocab": {"a": 1}})"),
            "t.json: model: merges[0] is \"ab\", expected \"a b\" or [\"a\", \"b\"]");
  EXPECT_EQ(error(R"({"merges": ["a b c"], "vocab": {"a": 1}})"),
            "t.json: model: merges[0] is \"a b c\", expected \"a b\" or [\"a\", \"b\"]");
  EXPECT_EQ(error(R"({"merges": [["a"]], "vocab": {"a": 1}})"),
            "t.json: model: merges[0] is an array of 1, expected \"a b\" or [\"a\", \"b\"]");
  EXPECT_EQ(error(R"({"merges": [], "vocab": {}, "dropout": 0.5})"),
            "t.json: model: 'dropout' is 0.5, expected null or 0; it makes encoding random");
  EXPECT_EQ(error(R"({"merges": [["a", "b"]], "vocab": {"a": 1, "b": 2, "ab": 3},
                      "continuing_subword_prefix": "##"})"),
            "t.json: model: merges[0]: piece 'b' does not begin with the prefix '##'");
  EXPECT_EQ(error(fmt::format(R"({{"merges": [], "vocab": {{}}, "end_of_word_suffix": "{}"}})",
                              std::string(65, 'x'))),
            "t.json: model: 'continuing_subword_prefix' has 0 bytes and 'end_of_word_suffix' 65, "
            "expected at most 64");
}

TEST(Bpe, AMissingUnknownTokenIsAnErrorWhenNeeded) {
  const auto tokenizer = tokenizer_of(R"({"vocab": {"a": 0}, "merges": [], "unk_token": "<unk>"})");
  ASSERT_TRUE(tokenizer) << error_of(tokenizer);
  EXPECT_EQ(tokenizer->encode("a"), Ids({0}));
  EXPECT_EQ(error_of(tokenizer->encode("ab")),
            "t.json: model: 'b' has no piece, and 'unk_token' is '<unk>', which is not in the "
            "vocabulary");
}

}  // namespace
}  // namespace handloom::tokenizer
