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

std::string refusal(const std::string& source) {
  return failure_of([&] { render(source, user_message("hi")); });
}

TEST(ChatTemplate, ErrorsNameRowAndColumn) {
  EXPECT_EQ(refusal("a\n  {{ 1 + }}"),
            "chat template: Expected value expression at row 2, column 9");
  EXPECT_EQ(refusal("\n{% bogus %}"), "chat template: Expected block keyword at row 2, column 4");
  EXPECT_EQ(refusal("{% endif %}"), "chat template: Unexpected endif at row 1, column 1");
  EXPECT_EQ(refusal("\n\n{{ messages[0].x.y }}"),
            "chat template: Trying to access property ''y'' on null! at row 3, column 18");
  EXPECT_EQ(refusal("{# no end"), "chat template: Missing end of comment tag at row 1, column 1");
}

std::string times(size_t n, const std::string& text) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += text;
  return out;
}

// Each of these overflows minja's stack, or that of std::regex, when it gets so far.
TEST(ChatTemplate, RefusesWhatNestsTooDeeply) {
  EXPECT_EQ(refusal("{{ " + times(100000, "(") + "1" + times(100000, ")") + " }}"),
            "chat template: has 200007 bytes, expected at most 131072 at row 1, column 1");
  EXPECT_EQ(refusal("\n{{ " + times(5000, "[") + times(5000, "]") + " }}"),
            "chat template: nests brackets deeper than 40 at row 2, column 44");
  EXPECT_EQ(refusal(times(5000, "{% if 1 %}") + times(5000, "{% endif %}")),
            "chat template: nests blocks deeper than 40 at row 1, column 403");
  EXPECT_EQ(refusal("{{ " + times(5000, "not ") + "1 }}"),
            "chat template: has a tag of more than 300 words and signs at row 1, column 1204");
  EXPECT_EQ(
      refusal("{# " + times(50000, "-") + " #}"),
      "chat template: has a comment of 50004 bytes, expected at most 2000 at row 1, column 1");
  EXPECT_EQ(refusal(times(50000, " ") + "{{ 1 }}"),
            "chat template: has more than 2000 spaces in a row at row 1, column 2001");
}

TEST(ChatTemplate, RendersWhatNestsAsMuchAsItMay) {
  EXPECT_EQ(render("{{ " + times(40, "(") + "1" + times(40, ")") + " }}", user_message("")), "1");
  EXPECT_EQ(render(times(40, "{% if 1 %}") + "x" + times(40, "{% endif %}"), user_message("")),
            "x");
  EXPECT_EQ(render("{{ 0" + times(149, " + 1") + " }}", user_message("")), "149");
  EXPECT_EQ(render("{#" + times(1990, "-") + "#}x", user_message("")), "x");
}

TEST(ChatTemplate, EndsWhatWouldNotEnd) {
  EXPECT_TRUE(refusal("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}")
                  .starts_with("chat template: crashes its interpreter"));
  EXPECT_TRUE(refusal("{{ 1 % 0 }}").starts_with("chat template: crashes its interpreter"));
  const std::string endless = refusal("{% for i in range(1000000000) %}x{% endfor %}");
  EXPECT_TRUE(endless.starts_with("chat template: needs more than 1024 MiB of memory") ||
              endless == "chat template: takes more than 5 s")
      << endless;
  EXPECT_EQ(refusal("{% set a = 'x' * 1000 %}{% for i in range(70000) %}{{ a }}{% endfor %}"),
            "chat template: writes more than 67108864 bytes");
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
