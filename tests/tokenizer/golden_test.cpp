// Whole files: what the Hugging Face `tokenizers` library answers for the five families, case by
// case, and the starter model's prompts.
#include "base/file.h"
#include "base/json.h"
#include "tokenizer/tokenizer.h"

#include <gtest/gtest.h>

namespace handloom::tokenizer {
namespace {

Json golden(const std::string& path) {
  const auto text = read_text_file(std::string(HANDLOOM_GOLDEN_DIR) + path);
  EXPECT_TRUE(text) << path;
  return Json::parse(text.value_or("null"), nullptr, false);
}

std::string stream(const Tokenizer& tokenizer, const std::vector<uint32_t>& ids,
                   bool skip_specials) {
  StreamDecoder decoder(tokenizer, skip_specials);
  std::string text;
  for (const uint32_t id : ids) text += decoder.push(id).value();
  return text + decoder.finish().value();
}

class Family : public testing::TestWithParam<const char*> {};

TEST_P(Family, MatchesTheReference) {
  const std::string folder = std::string("/") + GetParam();
  const auto tokenizer =
      Tokenizer::load(std::string(HANDLOOM_GOLDEN_DIR) + folder + "/tokenizer.json");
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const Json reference = golden(folder + "/tokenizer_reference.json");
  const Json& cases = reference["cases"];
  ASSERT_EQ(cases.size(), 116u);
  for (const Json& one : cases) {
    const auto text = one["text"].get<std::string>();
    SCOPED_TRACE(text);
    const auto ids = one["ids"].get<std::vector<uint32_t>>();
    EXPECT_EQ(tokenizer->encode(text, {.add_specials = false}), ids);
    EXPECT_EQ(tokenizer->encode(text), one["ids_with_specials"].get<std::vector<uint32_t>>());
    EXPECT_EQ(tokenizer->decode(ids), one["decoded"].get<std::string>());
    EXPECT_EQ(tokenizer->decode(ids, true), one["decoded_skip_specials"].get<std::string>());
    EXPECT_EQ(stream(*tokenizer, ids, false), one["decoded"].get<std::string>());
    EXPECT_EQ(stream(*tokenizer, ids, true), one["decoded_skip_specials"].get<std::string>());
  }
}

INSTANTIATE_TEST_SUITE_P(All, Family,
                         testing::Values("llama2", "llama3.2", "phi3", "qwen2", "gemma2"),
                         [](const auto& one) {
                           std::string name = one.param;
                           std::erase(name, '.');
                           return name;
                         });

// The prompts spell their BOS, so the post-processor must not add another.
TEST(Starter, EncodesItsPrompts) {
  const auto tokenizer = Tokenizer::load(std::string(HANDLOOM_STARTER_DIR) + "/tokenizer.json");
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const Json reference = golden("/starter/reference.json");
  ASSERT_FALSE(reference["chats"].empty());
  for (const Json& chat : reference["chats"]) {
    const auto prompt = chat["prompt"].get<std::string>();
    const auto prompt_ids = chat["prompt_ids"].get<std::vector<uint32_t>>();
    EXPECT_EQ(tokenizer->encode(prompt, {.add_specials = false}), prompt_ids) << prompt;
    const auto greedy_ids = chat["greedy_ids"].get<std::vector<uint32_t>>();
    EXPECT_EQ(tokenizer->decode(greedy_ids, true), chat["text"].get<std::string>());
    EXPECT_EQ(stream(*tokenizer, greedy_ids, true), chat["text"].get<std::string>());
  }
}

}  // namespace
}  // namespace handloom::tokenizer
