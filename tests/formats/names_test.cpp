// Names from files in messages.
#include "formats/names.h"

#include <gtest/gtest.h>

#include <array>

namespace handloom::formats {
namespace {

TEST(Printable, KeepsOrdinaryNamesAndTamesOthers) {
  EXPECT_EQ(printable("model.layers.0.q_proj.weight"), "model.layers.0.q_proj.weight");
  EXPECT_EQ(printable("a\nb\x1b[31m\x7f"), "a?b?[31m?");
  EXPECT_EQ(printable(std::string(100, 'x')), std::string(100, 'x'));
  EXPECT_EQ(printable(std::string(101, 'x')), std::string(100, 'x') + "...");
  // Cut before, never inside, a character of two bytes.
  EXPECT_EQ(printable(std::string(99, 'x') + "\u00e9\u00e9"), std::string(99, 'x') + "...");
}

TEST(Suggestion, NamesTheNearestOrNone) {
  constexpr std::array<std::string_view, 3> names = {"lm_head.weight", "model.embed_tokens.weight",
                                                     "model.norm.weight"};
  EXPECT_EQ(suggestion("model.norm.wieght", names), "; is 'model.norm.weight' meant?");
  EXPECT_EQ(suggestion("embed_tokens.weight", names), "; is 'model.embed_tokens.weight' meant?");
  EXPECT_EQ(suggestion("gate", names), "");
  EXPECT_EQ(suggestion("", names), "");
  EXPECT_EQ(suggestion(std::string(100000, 'x'), names), "");
  EXPECT_EQ(suggestion("anything", {}), "");
}

TEST(IsUtf8, TellsTextFromBytes) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("plain \"quoted\" \\ \n"));
  EXPECT_TRUE(is_utf8("\u00e9\u20ac\U0001f9f5"));
  EXPECT_FALSE(is_utf8("\xff"));
  EXPECT_FALSE(is_utf8("\xc3"));
  EXPECT_FALSE(is_utf8("\xed\xa0\x80"));  // a lone surrogate
}

}  // namespace
}  // namespace handloom::formats
