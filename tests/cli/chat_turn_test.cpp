// What a chat asks of a model's template: the token that ends a turn, and system prompts.
#include "chat_turn.h"

#include "tests/cli/failure_of.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace cli {
namespace {

namespace fs = std::filesystem;

/// The starter's tokenizer with another template. <|im_end|> is 2047, <|im_start|> 2046.
class WithTemplate : public testing::Test {
 protected:
  handloom::Tokenizer load(const std::string& chat_template) {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    const fs::path folder =
        fs::path(testing::TempDir()) / (std::string("handloom_turn_") + test->name());
    fs::remove_all(folder);
    fs::create_directories(folder);
    fs::copy(fs::path(HANDLOOM_STARTER_DIR) / "tokenizer.json", folder);
    std::ofstream(folder / "chat_template.jinja") << chat_template;
    auto tokenizer = handloom::Tokenizer::load(folder.string());
    fs::remove_all(folder);
    return take(std::move(tokenizer));
  }
};

constexpr const char* kPlain =
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + END }}{% endfor %}";

std::string ending_in(const std::string& end) {
  std::string text = kPlain;
  return text.replace(text.find("END"), 3, "'" + end + "'");
}

TEST_F(WithTemplate, TheTokenAfterAnAnswerEndsATurn) {
  EXPECT_EQ(end_of_turn_id(load(ending_in("<|im_end|>\\n"))), 2047u);
  EXPECT_EQ(end_of_turn_id(load(ending_in(" <|im_start|><|im_end|>"))), 2046u);
  EXPECT_EQ(end_of_turn_id(load(ending_in("\\n"))), std::nullopt);
  EXPECT_EQ(end_of_turn_id(load(ending_in(""))), std::nullopt);
  EXPECT_EQ(end_of_turn_id(load(ending_in(" ###<|im_end|>"))), std::nullopt);
  EXPECT_EQ(end_of_turn_id(load("{{ messages[0]['content'] }}<|im_end|>")), std::nullopt);
  EXPECT_EQ(end_of_turn_id(load("{{ raise_exception('never') }}")), std::nullopt);
}

TEST(EndOfTurn, OfEveryFamily) {
  const auto piece = [](const std::string& folder) {
    const auto tokenizer = take(handloom::Tokenizer::load(folder));
    const auto id = end_of_turn_id(tokenizer);
    return id ? take(tokenizer.pieces(std::vector{*id}))[0].text : "none";
  };
  const std::string golden = HANDLOOM_GOLDEN_DIR;
  EXPECT_EQ(piece(HANDLOOM_STARTER_DIR), "<|im_end|>");
  EXPECT_EQ(piece(golden + "/llama2"), "</s>");
  EXPECT_EQ(piece(golden + "/llama3.2"), "<|eot_id|>");
  EXPECT_EQ(piece(golden + "/phi3"), "<|end|>");
  EXPECT_EQ(piece(golden + "/qwen2"), "<|im_end|>");
  EXPECT_EQ(piece(golden + "/gemma2"), "<end_of_turn>");
}

TEST_F(WithTemplate, ASystemPromptMayBeRefusedOrLeftOut) {
  EXPECT_TRUE(takes_system_prompt(load(ending_in("")), "Be terse."));
  EXPECT_FALSE(takes_system_prompt(
      load("{% for m in messages %}{% if m['role'] == 'user' %}{{ m['content'] }}{% endif %}"
           "{% endfor %}"),
      "Be terse."));
  const handloom::Tokenizer gemma = load(
      "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
      "{% endif %}{{ messages[0]['content'] }}");
  EXPECT_EQ(failure_of([&] { takes_system_prompt(gemma, "Be terse."); }),
            "chat template: System role not supported; this model's template takes no system "
            "prompt, expected a chat without one");
}

TEST(TurnLine, TellsReusedFromEvaluated) {
  const TurnFigures figures{.n_prompt = 58,
                            .timings = {.n_prompt = 13,
                                        .n_generated = 25,
                                        .prefill_ms = 100,
                                        .decode_ms = 240,
                                        .decode_bytes = 240'000'000,
                                        .steps_in_flight = 2,
                                        .visible_ms = 19.5}};
  EXPECT_EQ(turn_line(figures, 83, 512),
            "prompt 58 tokens: 45 reused, 13 evaluated 130 tok/s | 25 tokens 100 tok/s | 1.00 GB/s "
            "| 2 steps in flight, visible after 19.5 ms | context 83 of 512");
}

}  // namespace
}  // namespace cli
