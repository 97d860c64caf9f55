// MLC's conv_template as Jinja, rendered and compared with what MLC's own rules give by hand.
#include "formats/mlc_config.h"

#include "tests/formats/support.h"

#include <minja/minja.hpp>

namespace handloom::formats {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::string_view kModel = R"("model_type": "llama", "quantization": "q0f16",
    "model_config": {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3,
    "num_attention_heads": 4, "rms_norm_eps": 1e-6, "vocab_size": 100,
    "context_window_size": 32})";

Result<MlcConfig> with_template(std::string_view conv_template) {
  return parse_mlc_config(fmt::format(R"({{{}, "conv_template": {}}})", kModel, conv_template),
                          "c");
}

std::string render(const Conversation& conversation, const std::string& messages,
                   bool prompt = true) {
  // The options of every chat template.
  const auto root = minja::Parser::parse(
      to_jinja(conversation),
      {.trim_blocks = true, .lstrip_blocks = true, .keep_trailing_newline = false});
  auto context = minja::Context::make(minja::Value(OrderedJson::object()));
  context->set("messages", minja::Value(OrderedJson::parse(messages)));
  context->set("add_generation_prompt", minja::Value(prompt));
  context->set("bos_token", minja::Value("<s>"));
  return root->render(context);
}

constexpr const char* kChat = R"([{"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello\n{user_message}"}, {"role": "user", "content": "Go"}])";
constexpr const char* kSystemChat = R"([{"role": "system", "content": "Be 'brief'"},
    {"role": "user", "content": "Hi"}])";

TEST(Conversation, WritesPhi3) {
  ASSERT_OK(const MlcConfig mlc, with_template(R"({"name": "phi-3",
      "system_template": "<|system|>\n{system_message}", "system_message": "Be kind.",
      "system_prefix_token_ids": [1], "add_role_after_system_message": true,
      "roles": {"user": "<|user|>", "assistant": "<|assistant|>"},
      "role_templates": {"user": "{user_message}", "assistant": "{assistant_message}",
                         "tool": "{tool_message}"},
      "messages": [], "seps": ["<|end|>\n"], "role_content_sep": "\n", "role_empty_sep": "\n",
      "stop_str": ["<|endoftext|>"], "stop_token_ids": [2, 32, 70],
      "function_string": "", "use_function_calling": false})"));
  const Conversation& c = *mlc.conversation;
  EXPECT_EQ(c.name, "phi-3");
  EXPECT_EQ(c.stop_ids, (std::vector<uint32_t>{2, 32, 70}));
  EXPECT_EQ(c.stop_strings, std::vector<std::string>{"<|endoftext|>"});
  EXPECT_EQ(render(c, kChat),
            "<s><|system|>\nBe kind.<|user|>\nHi<|end|>\n"
            "<|assistant|>\nHello\n{user_message}<|end|>\n<|user|>\nGo<|end|>\n<|assistant|>\n");
  EXPECT_EQ(render(c, kSystemChat, false), "<s><|system|>\nBe 'brief'<|user|>\nHi<|end|>\n");
}

TEST(Conversation, WritesChatMl) {
  ASSERT_OK(const MlcConfig mlc, with_template(R"({"name": "chatml",
      "system_template": "<|im_start|>system\n{system_message}<|im_end|>\n",
      "system_message": "It's \\ \"q\".",
      "roles": {"user": "<|im_start|>user", "assistant": "<|im_start|>assistant",
                "tool": "<|im_start|>tool"},
      "seps": ["<|im_end|>\n"], "role_content_sep": "\n", "role_empty_sep": "\n"})"));
  const Conversation& c = *mlc.conversation;
  EXPECT_EQ(render(c, R"([{"role": "user", "content": "Hi"}, {"role": "tool", "content": "7"}])"),
            "<|im_start|>system\nIt's \\ \"q\".<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
            "<|im_start|>tool\n7<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(render(c, kSystemChat),
            "<|im_start|>system\nBe 'brief'<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
            "<|im_start|>assistant\n");
  EXPECT_ANY_THROW(render(c, R"([{"role": "bard", "content": "Hi"}])"));
}

/// Llama 2: the system text stands within the first [INST], and answers have a separator of their
/// own.
TEST(Conversation, WritesASystemTextWithinTheFirstMessage) {
  ASSERT_OK(const MlcConfig mlc, with_template(R"({"name": "llama-2",
      "system_template": "[INST] <<SYS>>\n{system_message}\n<</SYS>>\n\n",
      "system_message": "Be kind.", "add_role_after_system_message": false,
      "roles": {"user": "<s>[INST]", "assistant": "[/INST]"},
      "role_templates": {"user": "{user_message}{function_string}",
                         "assistant": "<{assistant_message}>"},
      "seps": [" ", " </s>"], "role_content_sep": " ", "role_empty_sep": " "})"));
  EXPECT_EQ(render(*mlc.conversation, kChat),
            "[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nHi [/INST] <Hello\n{user_message}> </s>"
            "<s>[INST] Go [/INST] ");
}

/// An empty system text is no system text, and the first message has its role after all.
TEST(Conversation, WritesChatsWithoutASystemText) {
  ASSERT_OK(const MlcConfig mlc, with_template(R"({"add_role_after_system_message": false,
      "system_message": "", "roles": {"user": "U", "assistant": "A"}, "seps": ["|"],
      "role_content_sep": ":", "system_prefix_token_ids": [5, 6]})"));
  EXPECT_EQ(render(*mlc.conversation, kChat), "U:Hi|A:Hello\n{user_message}|U:Go|A");
  EXPECT_EQ(render(*mlc.conversation, kSystemChat), "Be 'brief'Hi|A");
}

TEST(Conversation, RefusesMalformedTemplates) {
  const auto refused = [](std::string_view conv_template, std::string_view fragment) {
    SCOPED_TRACE(conv_template);
    expect_error(with_template(conv_template), ErrorCode::bad_format,
                 {"c: ", "conv_template", fragment});
  };
  const std::string_view roles = R"("roles": {"user": "U", "assistant": "A"})";
  refused("7", "is 7, expected an object");
  refused("[]", "is an array of 0, expected an object");
  refused("{}", "'seps' has 0 strings, expected 1 or 2");
  refused(R"({"seps": ["a", "b", "c"]})", "'seps' has 3 strings");
  refused(R"({"seps": "a"})", "'seps' is \"a\", expected an array of strings");
  refused(R"({"seps": [1]})", "'seps' is an array of 1, expected an array of strings");
  refused(R"({"seps": ["a"]})", "'roles' lacks 'user'");
  refused(R"({"seps": ["a"], "roles": {"user": "U"}})", "'roles' lacks 'assistant'");
  refused(R"({"seps": ["a"], "roles": ["user", "assistant"]})", "'roles' is an array of 2");
  refused(R"({"seps": ["a"], "roles": {"user": 1}})", "roles: 'user' is 1, expected a string");
  refused(fmt::format(R"({{"seps": ["a"], {}, "role_templates": {{"user": []}}}})", roles),
          "role_templates: 'user' is an array of 0");
  refused(fmt::format(R"({{"seps": ["a"], {}, "system_template": 1}})", roles),
          "'system_template' is 1, expected a string");
  refused(fmt::format(R"({{"seps": ["a"], {}, "stop_token_ids": [-1]}})", roles),
          "'stop_token_ids' holds -1");
  refused(fmt::format(R"({{"seps": ["a"], {}, "add_role_after_system_message": 1}})", roles),
          "expected true or false");
}

}  // namespace
}  // namespace handloom::formats
