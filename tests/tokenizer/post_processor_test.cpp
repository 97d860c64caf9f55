#include "tests/tokenizer/support.h"

namespace handloom::tokenizer {
namespace {

constexpr std::string_view kModel =
    R"({"vocab": {"a": 0, "<s>": 1, "</s>": 2, "b": 3}, "merges": []})";

Result<Tokenizer> with(std::string_view section) {
  return tokenizer_of(kModel, fmt::format(R"("post_processor": {})", section));
}

// "<s> A </s>" and both specials' ids.
constexpr std::string_view kTemplate = R"({"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
               {"Sequence": {"id": "A", "type_id": 0}},
               {"SpecialToken": {"id": "end", "type_id": 0}}],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]},
                       "end": {"id": "end", "ids": [2, 1], "tokens": ["</s>", "<s>"]}}})";

TEST(PostProcessor, Template) {
  const auto tokenizer = with(kTemplate);
  ASSERT_TRUE(tokenizer) << error_of(tokenizer);
  EXPECT_EQ(tokenizer->encode("ab"), Ids({1, 0, 3, 2, 1}));
  EXPECT_EQ(tokenizer->encode(""), Ids({1, 2, 1}));
  EXPECT_EQ(tokenizer->encode("ab", {.add_specials = false}), Ids({0, 3}));
}

TEST(PostProcessor, NullAndByteLevelAddNothing) {
  EXPECT_EQ(with("null")->encode("a"), Ids({0}));
  EXPECT_EQ(with(R"({"type": "ByteLevel", "trim_offsets": true})")->encode("a"), Ids({0}));
}

TEST(PostProcessor, SequencesEnclose) {
  const auto tokenizer = with(fmt::format(
      R"({{"type": "Sequence", "processors": [{{"type": "ByteLevel"}}, {},
          {{"type": "RobertaProcessing", "cls": ["b", 3], "sep": ["a", 0]}}]}})",
      kTemplate));
  ASSERT_TRUE(tokenizer) << error_of(tokenizer);
  EXPECT_EQ(tokenizer->encode("a"), Ids({3, 1, 0, 2, 1, 0}));
}

TEST(PostProcessor, Bert) {
  const auto tokenizer =
      with(R"({"type": "BertProcessing", "cls": ["<s>", 1], "sep": ["</s>", 2]})");
  ASSERT_TRUE(tokenizer) << error_of(tokenizer);
  EXPECT_EQ(tokenizer->encode("a"), Ids({1, 0, 2}));
}

TEST(PostProcessor, Refusals) {
  const auto error = [](std::string_view section) { return error_of(with(section)); };
  EXPECT_EQ(error(R"({"type": "Other"})"),
            "t.json: post_processor: type 'Other' is not supported (supported: TemplateProcessing, "
            "ByteLevel, BertProcessing, RobertaProcessing, Sequence)");
  EXPECT_EQ(error(R"({"type": "TemplateProcessing"})"),
            "t.json: post_processor: 'single' is missing, expected an array");
  EXPECT_EQ(error(R"({"type": "TemplateProcessing", "single": []})"),
            "t.json: post_processor: 'single' places the text 0 times, expected once");
  EXPECT_EQ(error(R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}],
                      "special_tokens": {}})"),
            "t.json: post_processor: special_tokens: 'x' is missing, expected an object");
  EXPECT_EQ(error(R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}],
                      "special_tokens": {"x": {"ids": [-1]}}})"),
            "t.json: post_processor: special_tokens: x: 'ids' is an array of 1, expected an array "
            "of ids below 16777216");
  EXPECT_EQ(error(R"({"type": "TemplateProcessing",
                      "single": [{"SpecialToken": {"id": "x"}}, {"Sequence": {"id": "A"}}],
                      "special_tokens": {"x": {"ids": [77]}}})"),
            "t.json: post_processor: id 77 is not in the vocabulary");
  EXPECT_EQ(error(R"({"type": "BertProcessing", "cls": "<s>"})"),
            "t.json: post_processor: 'cls' is \"<s>\", expected a piece and its id");
}

}  // namespace
}  // namespace handloom::tokenizer
