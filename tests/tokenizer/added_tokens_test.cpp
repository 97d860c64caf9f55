#include "tests/tokenizer/support.h"

namespace handloom::tokenizer {
namespace {

// Every letter and the space are their own pieces, so that what an added token swallows shows.
constexpr std::string_view kLetters =
    R"({"vocab": {"a": 0, "b": 1, "c": 2, "d": 3, " ": 4, "_": 5, "A": 6, "\n": 7},
        "merges": [], "unk_token": null})";

std::string token(uint32_t id, std::string_view content, std::string_view flags = "") {
  return fmt::format(R"({{"id": {}, "content": "{}", "normalized": false{}{}}})", id, content,
                     flags.empty() ? "" : ", ", flags);
}

Result<Tokenizer> with(std::string_view tokens, std::string_view more = "") {
  return tokenizer_of(
      kLetters, fmt::format(R"("added_tokens": [{}]{}{})", tokens, more.empty() ? "" : ", ", more));
}

Ids encoded(const Result<Tokenizer>& tokenizer, std::string_view text) {
  EXPECT_TRUE(tokenizer) << error_of(tokenizer);
  return tokenizer ? tokenizer->encode(text).value_or(Ids{999}) : Ids{};
}

TEST(AddedTokens, LeftmostLongest) {
  const auto tokenizer = with(token(10, "ab") + "," + token(11, "abc") + "," + token(12, "bcd"));
  EXPECT_EQ(encoded(tokenizer, "abcd"), Ids({11, 3}));  // the longest of those at the left
  EXPECT_EQ(encoded(tokenizer, "abd"), Ids({10, 3}));
  EXPECT_EQ(encoded(tokenizer, "bbcd"), Ids({1, 12}));
  EXPECT_EQ(encoded(tokenizer, "aab"), Ids({0, 10}));
  EXPECT_EQ(encoded(tokenizer, "abab"), Ids({10, 10}));
  EXPECT_EQ(encoded(tokenizer, "ab"), Ids({10}));
}

TEST(AddedTokens, MayBePiecesOfTheModel) {
  const auto tokenizer = with(token(1, "b", R"("special": true)"));
  EXPECT_EQ(encoded(tokenizer, "abc"), Ids({0, 1, 2}));
  EXPECT_TRUE(tokenizer->is_special(1));
  EXPECT_FALSE(tokenizer->is_special(0));
  EXPECT_FALSE(tokenizer->is_special(4'000'000'000));
  EXPECT_EQ(tokenizer->decode(Ids{0, 1, 2}), "a b c");  // no decoder: joined by spaces
  EXPECT_EQ(tokenizer->decode(Ids{0, 1, 2}, true), "a c");
}

TEST(AddedTokens, Lstrip) {
  const auto tokenizer = with(token(10, "X", R"("lstrip": true)"));
  EXPECT_EQ(encoded(tokenizer, "a \n X b"), Ids({0, 10, 4, 1}));
  EXPECT_EQ(encoded(tokenizer, " X"), Ids({10}));
  EXPECT_EQ(encoded(tokenizer, "X X"), Ids({10, 10}));
}

TEST(AddedTokens, Rstrip) {
  const auto tokenizer = with(token(10, "X", R"("rstrip": true)"));
  EXPECT_EQ(encoded(tokenizer, "a X \u2003 b"), Ids({0, 4, 10, 1}));
  EXPECT_EQ(encoded(tokenizer, "X X"), Ids({10, 10}));
  const auto both = with(token(10, "X", R"("rstrip": true, "lstrip": true)"));
  EXPECT_EQ(encoded(both, "a X  X b"), Ids({0, 10, 10, 1}));
}

TEST(AddedTokens, SingleWord) {
  const auto tokenizer = with(token(10, "b", R"("single_word": true)") + "," + token(1, "b"));
  EXPECT_FALSE(tokenizer);
  const auto single = with(token(10, "bc", R"("single_word": true)"));
  EXPECT_EQ(encoded(single, "bc"), Ids({10}));
  EXPECT_EQ(encoded(single, "a bc d"), Ids({0, 4, 10, 4, 3}));
  EXPECT_EQ(encoded(single, "abc"), Ids({0, 1, 2}));
  EXPECT_EQ(encoded(single, "bcd"), Ids({1, 2, 3}));
  EXPECT_EQ(encoded(single, "bc_"), Ids({1, 2, 5}));    // _ is a word character
  EXPECT_EQ(encoded(single, "\u00E9bc"), Ids({1, 2}));  // and so is U+00E9
  EXPECT_EQ(encoded(single, "\u3002bc"), Ids({10}));
}

TEST(AddedTokens, NormalizedOnesMatchNormalisedText) {
  const std::string tokens = R"({"id": 10, "content": "AB", "normalized": true},
                                {"id": 11, "content": "CD", "normalized": false})";
  const auto tokenizer = with(tokens, R"("normalizer": {"type": "Lowercase"})");
  EXPECT_EQ(encoded(tokenizer, "abcd"), Ids({10, 2, 3}));
  EXPECT_EQ(encoded(tokenizer, "AB"), Ids({10}));
  EXPECT_EQ(encoded(tokenizer, "aBCD"), Ids({10, 11}));
  EXPECT_EQ(encoded(tokenizer, "ABcd"), Ids({10, 2, 3}));
  EXPECT_EQ(tokenizer->piece(10), "AB");
}

// Text given goes first: a token of the raw pass wins over an earlier one of the normalised pass.
TEST(AddedTokens, TheRawPassComesFirst) {
  const auto tokenizer = with(R"({"id": 10, "content": "ab", "normalized": true},
                                 {"id": 11, "content": "bc", "normalized": false})");
  EXPECT_EQ(encoded(tokenizer, "abc"), Ids({0, 11}));
}

TEST(AddedTokens, ThePrefixGoesBeforeEachStretchOfText) {
  const auto tokenizer =
      with(token(10, "X"), R"("normalizer": {"type": "Prepend", "prepend": "_"})");
  EXPECT_EQ(encoded(tokenizer, "aXbX"), Ids({5, 0, 10, 5, 1, 10}));
  const auto first = with(token(10, "X"), R"("pre_tokenizer":
      {"type": "Metaspace", "replacement": "_", "prepend_scheme": "first"})");
  EXPECT_EQ(encoded(first, "aXb"), Ids({5, 0, 10, 1}));
  EXPECT_EQ(encoded(first, "Xb"), Ids({10, 1}));
}

TEST(AddedTokens, AreNotTheModelsPieces) {
  const auto tokenizer = tokenizer_of(R"({"vocab": {"a": 0}, "merges": []})",
                                      R"("added_tokens": [{"id": 5, "content": "zz"}])");
  ASSERT_TRUE(tokenizer) << error_of(tokenizer);
  EXPECT_EQ(tokenizer->vocab_size(), 6u);
  EXPECT_EQ(tokenizer->id_of("zz"), 5u);
  EXPECT_EQ(tokenizer->id_of("z"), std::nullopt);
  EXPECT_TRUE(tokenizer->has_id(5));
  EXPECT_FALSE(tokenizer->has_id(3));
  EXPECT_EQ(tokenizer->piece(3), "");
}

TEST(AddedTokens, Refusals) {
  const auto error = [](std::string_view tokens) {
    return error_of(tokenizer_of(kLetters, fmt::format(R"("added_tokens": {})", tokens)));
  };
  EXPECT_EQ(error("{}"), "t.json: 'added_tokens' is an object, expected an array");
  EXPECT_EQ(error("[3]"), "t.json: added_tokens[0]: is 3, expected an object");
  EXPECT_EQ(error(R"([{"content": "x"}])"),
            "t.json: added_tokens[0]: 'id' is missing, expected a whole number");
  EXPECT_EQ(error(R"([{"id": 9}])"),
            "t.json: added_tokens[0]: 'content' is missing, expected a string");
  EXPECT_EQ(error(R"([{"id": -9, "content": "x"}])"),
            "t.json: added_tokens[0]: 'id' is -9, expected a whole number from 0 to 4294967295");
  EXPECT_EQ(error(R"([{"id": 16777216, "content": "x"}])"),
            "t.json: added_tokens[0]: piece 'x' has id 16777216, expected less than 16777216");
  EXPECT_EQ(error(R"([{"id": 9, "content": "x"}, {"id": 9, "content": "y"}])"),
            "t.json: added_tokens[1]: pieces 'x' and 'y' both have id 9");
  EXPECT_EQ(error(R"([{"id": 9, "content": "x"}, {"id": 10, "content": "x"}])"),
            "t.json: added_tokens[1]: piece 'x' has both id 9 and id 10");
  EXPECT_EQ(error(R"([{"id": 1, "content": "x"}])"),
            "t.json: added_tokens[0]: 'x' has id 1, which is that of the model's piece 'b'");
  EXPECT_EQ(error(R"([{"id": 9, "content": "b"}])"),
            "t.json: added_tokens[0]: 'b' has id 9, but the model's vocabulary gives it 1");
  EXPECT_EQ(error(R"([{"id": 9, "content": "x", "lstrip": "yes"}])"),
            "t.json: added_tokens[0]: 'lstrip' is \"yes\", expected true or false");
  EXPECT_EQ(error(fmt::format(R"([{{"id": 9, "content": "{}"}}])", std::string(5000, 'x'))),
            "t.json: added_tokens[0]: 'content' has 5000 bytes, expected at most 4096");
}

}  // namespace
}  // namespace handloom::tokenizer
