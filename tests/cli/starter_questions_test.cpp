// What quantising costs in answers: the starter's 200 questions, greedy, exact after trimming.
#include "prompt.h"

#include "tests/support/paths.h"

#include <handloom/handloom.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <unistd.h>

namespace cli {
namespace {

using nlohmann::ordered_json;

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\n"), last = text.find_last_not_of(" \t\n");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

/// How many of the questions the model at `path` answers.
uint32_t count_right(const std::string& path, const ordered_json& questions) {
  auto engine = handloom::Engine::load(path, {.context = 256});
  EXPECT_TRUE(engine) << engine.error().message;
  if (!engine) return 0;
  auto session = engine->new_session();
  EXPECT_TRUE(session) << session.error().message;
  uint32_t n_right = 0;
  for (const ordered_json& item : questions) {
    const ordered_json messages = {{{"role", "user"}, {"content", item["question"]}}};
    session->reset();
    const auto answer =
        session->generate(chat_ids(messages, engine->tokenizer()), {.max_tokens = 100});
    EXPECT_TRUE(answer) << answer.error().message;
    if (!answer) return 0;
    n_right += trimmed(answer->text) == trimmed(item["answer"].get<std::string>());
  }
  return n_right;
}

/// HANDLOOM_ALL_TYPES in the environment adds the types whose accuracy is only reported.
TEST(StarterQuestions, EightBitsAnswerWithinOnePointOfTheOriginal) {
  std::ifstream file(handloom::golden_dir() + "/starter/questions.json");
  const ordered_json questions = ordered_json::parse(file);
  ASSERT_EQ(questions.size(), 200u);
  const std::string starter = handloom::starter_dir();
  const uint32_t original = count_right(starter, questions);
  std::printf("original: %u of 200\n", original);
  EXPECT_GE(original, 198u);

  std::vector<std::string> types = {"q8_0"};
  if (std::getenv("HANDLOOM_ALL_TYPES") != nullptr) types = handloom::quantise_types();
  for (const std::string& type : types) {
    const auto to = std::filesystem::temp_directory_path() /
                    ("handloom_questions_" + std::to_string(::getpid()) + "_" + type);
    const std::string path = type == "int8-block" ? to.string() : to.string() + ".gguf";
    const auto written = handloom::quantise_model(starter, path, {.type = type});
    ASSERT_TRUE(written) << written.error().message;
    const uint32_t n_right = count_right(path, questions);
    std::printf("%s: %u of 200\n", type.c_str(), n_right);
    if (type == "q8_0") {
      EXPECT_LE(original, n_right + 2);
    }
    std::filesystem::remove_all(path);
  }
}

}  // namespace
}  // namespace cli
