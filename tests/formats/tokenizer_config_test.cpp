// tokenizer_config.json and chat_template.jinja.
#include "formats/tokenizer_config.h"

#include "tests/formats/support.h"

namespace handloom::formats {
namespace {

TEST(TokenizerConfig, ReadsTokensInBothForms) {
  ASSERT_OK(const TokenizerConfig config,
            parse_tokenizer_config(R"({"bos_token": {"__type": "AddedToken", "content": "<s>",
                "lstrip": false}, "eos_token": "</s>", "pad_token": null})",
                                   "t"));
  EXPECT_EQ(config.bos_token, "<s>");
  EXPECT_EQ(config.eos_token, "</s>");
  EXPECT_FALSE(config.pad_token.has_value());
  EXPECT_FALSE(config.unk_token.has_value());
  EXPECT_TRUE(config.chat_template.empty());
}

TEST(TokenizerConfig, PicksTheDefaultTemplate) {
  ASSERT_OK(const TokenizerConfig config,
            parse_tokenizer_config(R"({"chat_template": [{"name": "tool_use", "template": "T"},
                {"name": "default", "template": "D"}, {"name": "rag", "template": "R"}]})",
                                   "t"));
  EXPECT_EQ(config.chat_template, "D");
  EXPECT_EQ(config.other_templates,
            (std::map<std::string, std::string>{{"rag", "R"}, {"tool_use", "T"}}));
}

TEST(TokenizerConfig, TheJinjaFileWins) {
  const TempFolder folder;
  ASSERT_OK(const TokenizerConfig none, load_tokenizer_config(folder.path()));
  EXPECT_TRUE(none.chat_template.empty());
  EXPECT_FALSE(none.bos_token || none.eos_token || none.unk_token || none.pad_token);

  folder.write("tokenizer_config.json", R"({"chat_template": "old", "unk_token": "?"})");
  ASSERT_OK(const TokenizerConfig old, load_tokenizer_config(folder.path()));
  EXPECT_EQ(old.chat_template, "old");

  folder.write("chat_template.jinja", "{{ bos_token }}\n");
  ASSERT_OK(const TokenizerConfig both, load_tokenizer_config(folder.path()));
  EXPECT_EQ(both.chat_template, "{{ bos_token }}\n");
  EXPECT_EQ(both.unk_token, "?");

  folder.write("chat_template.jinja", "\xff");
  expect_error(load_tokenizer_config(folder.path()), ErrorCode::bad_format,
               {"chat_template.jinja: is not UTF-8 text"});
}

TEST(TokenizerConfig, ReadsRealFolders) {
  ASSERT_OK(const TokenizerConfig llama2, load_tokenizer_config(HANDLOOM_GOLDEN_DIR "/llama2"));
  EXPECT_EQ(llama2.bos_token, "<s>");
  EXPECT_EQ(llama2.unk_token, "<unk>");
  ASSERT_OK(const std::string jinja,
            read_text_file(HANDLOOM_GOLDEN_DIR "/llama2/chat_template.jinja"));
  EXPECT_EQ(llama2.chat_template, jinja);
  ASSERT_OK(const TokenizerConfig starter, load_tokenizer_config(HANDLOOM_STARTER_DIR));
  EXPECT_EQ(starter.bos_token, "<|begin|>");
  EXPECT_EQ(starter.eos_token, "<|im_end|>");
  EXPECT_FALSE(starter.chat_template.empty());
}

TEST(TokenizerConfig, Refusals) {
  struct Refusal {
    std::string_view json, fragment;
  };
  for (const auto& [json, fragment] : {
           Refusal{"{", "t: is not valid JSON (1 bytes)"},
           Refusal{"[]", "t: is an array of 0, expected an object"},
           Refusal{R"({"bos_token": 1})", "'bos_token' is 1, expected a string"},
           Refusal{R"({"eos_token": {}})", "eos_token: 'content' is missing, expected a string"},
           Refusal{R"({"unk_token": {"content": 2}})", "unk_token: 'content' is 2"},
           Refusal{R"({"pad_token": ["<pad>"]})", "'pad_token' is an array of 1"},
           Refusal{R"({"chat_template": 1})",
                   "'chat_template' is 1, expected a string or a list of named templates"},
           Refusal{R"({"chat_template": {}})", "'chat_template' is an object"},
           Refusal{R"({"chat_template": ["x"]})", "chat_template[0]: is \"x\", expected an object"},
           Refusal{R"({"chat_template": [{"name": "a"}]})",
                   "chat_template[0]: 'template' is missing"},
           Refusal{R"({"chat_template": [{"template": "a"}]})",
                   "chat_template[0]: 'name' is missing"},
           Refusal{R"({"chat_template": [{"name": "a", "template": "1"},
                                         {"name": "a", "template": "2"}]})",
                   "chat_template[1]: name 'a' is taken"},
       }) {
    SCOPED_TRACE(json);
    expect_error(parse_tokenizer_config(json, "t"), ErrorCode::bad_format, {"t: ", fragment});
  }
}

}  // namespace
}  // namespace handloom::formats
