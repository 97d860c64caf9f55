// Every chat of the golden files renders to the very text that transformers made of it.
#include "chat_template.h"
#include "tests/cli/failure_of.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <sstream>
#include <string>

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A special token as tokenizer_config.json writes it: text, an object with the text, or null.
std::string token_text(const Json& config, const char* key) {
  if (!config.contains(key) || config[key].is_null()) return "";
  return config[key].is_object() ? config[key]["content"].get<std::string>()
                                 : config[key].get<std::string>();
}

handloom::ChatTemplate load_template(const std::string& folder) {
  const Json config = Json::parse(read_file(folder + "/tokenizer_config.json"));
  return {.text = read_file(folder + "/chat_template.jinja"),
          .bos_token = token_text(config, "bos_token"),
          .eos_token = token_text(config, "eos_token"),
          .unk_token = token_text(config, "unk_token"),
          .pad_token = token_text(config, "pad_token")};
}

std::string render(const std::string& source, const Json& messages, bool add = true) {
  handloom::ChatTemplate chat_template;
  chat_template.text = source;
  chat_template.bos_token = "<s>";
  chat_template.eos_token = "</s>";
  return render_chat(chat_template, messages, add);
}

class Family : public testing::TestWithParam<const char*> {};

TEST_P(Family, EveryGoldenChatIsIdentical) {
  const std::string folder = std::string(HANDLOOM_GOLDEN_DIR) + "/" + GetParam();
  const handloom::ChatTemplate chat_template = load_template(folder);
  const Json reference = Json::parse(read_file(folder + "/tokenizer_reference.json"));
  ASSERT_EQ(reference["chats"].size(), 6u);
  for (const Json& chat : reference["chats"]) {
    EXPECT_EQ(render_chat(chat_template, chat["messages"], chat["add_generation_prompt"]),
              chat["rendered"].get<std::string>());
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, Family,
                         testing::Values("gemma2", "llama2", "llama3.2", "phi3", "qwen2"));

TEST(StarterTemplate, EveryGoldenChatIsIdentical) {
  const handloom::ChatTemplate chat_template = load_template(HANDLOOM_STARTER_DIR);
  const Json reference =
      Json::parse(read_file(std::string(HANDLOOM_GOLDEN_DIR) + "/starter/reference.json"));
  ASSERT_FALSE(reference["chats"].empty());
  for (const Json& chat : reference["chats"]) {
    EXPECT_EQ(render_chat(chat_template, chat["messages"], true),
              chat["prompt"].get<std::string>());
  }
}

TEST(ChatTemplate, GivesTheTemplatesOwnWords) {
  const std::string words = failure_of([] {
    render("{{ raise_exception('only user and\nassistant roles') }}", user_message("hi"));
  });
  EXPECT_EQ(words, "chat template: only user and assistant roles");
}

TEST(ChatTemplate, TheLlama2TemplateRefusesAnUnknownRole) {
  const auto chat_template = load_template(std::string(HANDLOOM_GOLDEN_DIR) + "/llama2");
  const Json messages = Json::array({{{"role", "tool"}, {"content", "x"}}});
  EXPECT_EQ(failure_of([&] { render_chat(chat_template, messages, true); }),
            "chat template: unknown role tool");
}

TEST(ChatTemplate, ASyntaxErrorIsOneLineThatSaysWhere) {
  const std::string words =
      failure_of([] { render("{% for m in messages %}\n{{ m.content }}", user_message("hi")); });
  EXPECT_TRUE(words.starts_with("chat template: ")) << words;
  EXPECT_NE(words.find("row 1"), std::string::npos) << words;
  EXPECT_EQ(words.find('\n'), std::string::npos) << words;
}

TEST(ChatTemplate, SpecialTokensAndBlocksAreAsInTransformers) {
  EXPECT_EQ(render("{{ bos_token }}\n  {% if true %}\na\n  {% endif %}\n{{ eos_token }}\n",
                   user_message("hi")),
            "<s>\na\n</s>");
  EXPECT_EQ(render("{% if pad_token is defined %}p{% else %}none{% endif %}", user_message("hi")),
            "none");
  EXPECT_EQ(render("{{ strftime_now('%Y') | length }}", user_message("hi")), "4");
  EXPECT_EQ(render("{{ add_generation_prompt }}", user_message("hi"), false), "False");
}

TEST(ChatTemplate, MessageTextIsNeverReadAsTemplate) {
  EXPECT_EQ(render("{{ messages[0].content }}", user_message("{{ 1 + 1 }} {% x %} </s>")),
            "{{ 1 + 1 }} {% x %} </s>");
}

TEST(Messages, AreReadInOrderWithTheirFields) {
  const Json messages = parse_messages(R"([{"role": "system", "content": "s"},
                         {"role": "user", "content": [{"type": "text", "text": "t"}]}])",
                                       "chat.json");
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0]["content"], "s");
  EXPECT_EQ(messages[1]["content"][0]["text"], "t");
}

TEST(Messages, ErrorsSayWhatWasFoundAndExpected) {
  const auto failure = [](const char* text) {
    return failure_of([&] { parse_messages(text, "chat.json"); });
  };
  EXPECT_EQ(failure("[{"),
            "chat.json: is not valid JSON at byte 2 of 2, expected an array of "
            "messages");
  EXPECT_EQ(failure("{}"), "chat.json: is of type object, expected an array of messages");
  EXPECT_EQ(failure("[]"), "chat.json: holds 0 messages, expected at least 1");
  EXPECT_EQ(failure(R"([{"role": "user", "content": "x"}, 7])"),
            "chat.json: message 1 is of type number, expected {\"role\": \"user\", \"content\": "
            "\"...\"}");
  EXPECT_EQ(failure(R"([{"role": "user"}])"),
            "chat.json: message 0 has no 'content', expected {\"role\": \"user\", \"content\": "
            "\"...\"}");
  EXPECT_EQ(failure(R"([{"role": 1, "content": ""}])"),
            "chat.json: message 0 has a 'role' of type number, expected {\"role\": \"user\", "
            "\"content\": \"...\"}");
}

}  // namespace
}  // namespace cli
