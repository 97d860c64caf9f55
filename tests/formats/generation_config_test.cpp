// generation_config.json: what it states, and what it may not.
#include "formats/generation_config.h"

#include "tests/formats/support.h"

namespace handloom::formats {
namespace {

TEST(GenerationConfig, ReadsEveryField) {
  ASSERT_OK(const GenerationConfig config, parse_generation_config(R"({"eos_token_id": [5, 6],
      "bos_token_id": 4, "do_sample": true, "temperature": 0.6, "top_k": 20, "top_p": 0.95,
      "min_p": 0.05, "repetition_penalty": 1.1, "transformers_version": "5.17.0"})",
                                                                   "g"));
  EXPECT_EQ(config.eos_ids, std::vector<uint32_t>({5, 6}));
  EXPECT_EQ(config.bos_id, 4u);
  EXPECT_EQ(config.do_sample, true);
  EXPECT_EQ(config.temperature, 0.6f);
  EXPECT_EQ(config.top_k, 20u);
  EXPECT_EQ(config.top_p, 0.95f);
  EXPECT_EQ(config.min_p, 0.05f);
  EXPECT_EQ(config.repeat_penalty, 1.1f);
}

TEST(GenerationConfig, StatesNothingByItself) {
  const TempFolder folder;
  folder.write("generation_config.json", R"({"temperature": null, "eos_token_id": null})");
  for (const std::string& path : {folder.path(), folder / "absent"}) {
    ASSERT_OK(const GenerationConfig config, load_generation_config(path));
    EXPECT_TRUE(config.eos_ids.empty());
    EXPECT_FALSE(config.bos_id || config.do_sample || config.temperature || config.top_k ||
                 config.top_p || config.min_p || config.repeat_penalty);
  }
}

TEST(GenerationConfig, ReadsTheStarterModel) {
  ASSERT_OK(const GenerationConfig config, load_generation_config(HANDLOOM_STARTER_DIR));
  EXPECT_EQ(config.eos_ids, std::vector<uint32_t>({2047}));
  EXPECT_EQ(config.bos_id, 2045u);
  EXPECT_EQ(config.temperature, 0.7f);
  EXPECT_EQ(config.top_p, 0.95f);
  EXPECT_FALSE(config.min_p.has_value());
}

TEST(GenerationConfig, Refusals) {
  struct Refusal {
    std::string_view json, fragment;
  };
  for (const auto& [json, fragment] : {
           Refusal{"", "g: is not valid JSON"},
           Refusal{"3", "g: is 3, expected an object"},
           Refusal{R"({"eos_token_id": 1.5})", "'eos_token_id' holds 1.5, expected token ids"},
           Refusal{R"({"eos_token_id": [[1]]})", "'eos_token_id' holds an array of 1"},
           Refusal{R"({"eos_token_id": 4294967296})", "'eos_token_id' holds 4294967296"},
           Refusal{R"({"bos_token_id": -1})", "'bos_token_id' is -1"},
           Refusal{R"({"do_sample": "yes"})", "'do_sample' is \"yes\", expected true or false"},
           Refusal{R"({"temperature": -0.1})", "'temperature' is -0.1, expected at least 0"},
           Refusal{R"({"temperature": 1e300})", "'temperature' is 1e+300"},
           Refusal{R"({"top_k": -1})", "'top_k' is -1, expected a whole number"},
           Refusal{R"({"top_p": 0})", "'top_p' is 0, expected more than 0 and at most 1"},
           Refusal{R"({"top_p": 1.01})", "'top_p' is 1.01"},
           Refusal{R"({"min_p": 1})", "'min_p' is 1, expected at least 0 and less than 1"},
           Refusal{R"({"min_p": 0.9999999999})", "'min_p' is 0.9999999999"},
           Refusal{R"({"repetition_penalty": 0})",
                   "'repetition_penalty' is 0, expected more than 0"},
       }) {
    SCOPED_TRACE(json);
    expect_error(parse_generation_config(json, "g"), ErrorCode::bad_format, {"g: ", fragment});
  }
}

}  // namespace
}  // namespace handloom::formats
