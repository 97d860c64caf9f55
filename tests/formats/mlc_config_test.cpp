// mlc-chat-config.json: the same Config as from config.json, and what it says besides.
#include "formats/mlc_config.h"

#include "tests/formats/support.h"
#include "tests/support/mlc_writer.h"

namespace handloom::formats {
namespace {

Json small_llama() {
  return Json::parse(R"({"model_type": "llama", "quantization": "q4f16_1",
      "model_config": {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3,
          "num_attention_heads": 4, "rms_norm_eps": 1e-6, "vocab_size": 100,
          "position_embedding_base": 500000, "rope_scaling": null, "context_window_size": 32,
          "prefill_chunk_size": 32, "num_key_value_heads": 2, "head_dim": 16,
          "tensor_parallel_shards": 1, "max_batch_size": 80},
      "vocab_size": 100, "context_window_size": 16, "sliding_window_size": -1,
      "temperature": 0.5, "top_p": 0.25, "repetition_penalty": 1.5,
      "bos_token_id": 1, "eos_token_id": [2, 99]})");
}

Result<MlcConfig> parse(const Json& json) { return parse_mlc_config(json.dump(), "c"); }

/// As the writer translates each golden's config.json there, the parser must translate it back.
TEST(MlcConfig, MeansWhatConfigJsonMeans) {
  for (const std::string model : {"llama2", "llama3.2", "phi3", "phi3-longrope", "mistral-swa",
                                  "qwen2", "qwen3", "gemma2", "gemma3"}) {
    SCOPED_TRACE(model);
    const std::string folder = HANDLOOM_GOLDEN_DIR "/" + model;
    ASSERT_OK(Config want, load_config(folder));
    ASSERT_OK(MlcConfig mlc,
              parse(test::mlc_chat_config(test::read_json(folder + "/config.json"), "q4f16_1")));
    EXPECT_EQ(mlc.config.norms_include_one, want.gemma_norms);
    mlc.config.norms_include_one = false;
    if (model.starts_with("phi3")) {
      EXPECT_EQ(mlc.config.window(0), 0u);  // which MLC drops
      mlc.config.windows = want.windows;
    }
    EXPECT_TRUE(mlc.config == want);
    EXPECT_EQ(mlc.config.rope, want.rope);
    EXPECT_EQ(mlc.config.windows, want.windows);
    EXPECT_EQ(mlc.config.eos_ids, want.eos_ids);
    EXPECT_EQ(mlc.config.max_seq_len, want.max_seq_len);
    EXPECT_EQ(mlc.config.attention_scale, want.attention_scale);
  }
}

TEST(MlcConfig, ReadsASmallOne) {
  ASSERT_OK(const MlcConfig mlc, parse(small_llama()));
  EXPECT_EQ(mlc.quantization, MlcQuantization::q4f16_1);
  EXPECT_EQ(mlc.config.rope.theta, 500000.0f);
  EXPECT_EQ(mlc.config.max_seq_len, 32u);  // the model's, not what a library was compiled for
  EXPECT_EQ(mlc.config.eos_ids, (std::vector<uint32_t>{2, 99}));
  EXPECT_EQ(mlc.config.bos_id, 1u);
  EXPECT_EQ(mlc.generation.temperature, 0.5f);
  EXPECT_EQ(mlc.generation.top_p, 0.25f);
  EXPECT_EQ(mlc.generation.repeat_penalty, 1.5f);
  EXPECT_EQ(mlc.generation.eos_ids, mlc.config.eos_ids);
  EXPECT_FALSE(mlc.conversation.has_value());
  EXPECT_FALSE(mlc.config.norms_include_one);
}

TEST(MlcConfig, KnowsItsQuantizationsByName) {
  Json json = small_llama();
  for (const std::string name : {"q0f16", "q3f16_1", "q4f16_1", "q4f32_1"}) {
    json["quantization"] = name;
    ASSERT_OK(const MlcConfig mlc, parse(json));
    EXPECT_EQ(to_string(mlc.quantization), name);
  }
  for (const std::string name : {"q4f16_0", "q3f16_0", "q4f16_awq", "q4f16_ft", "q8f16_1", ""}) {
    json["quantization"] = name;
    expect_error(parse(json), ErrorCode::unsupported,
                 {"c: 'quantization' is '" + name + "'", "q0f16, q3f16_1, q4f16_1, q4f32_1"});
  }
}

TEST(MlcConfig, EndsTextsByStopIdsWhereNothingElseSays) {
  Json json = small_llama();
  json["conv_template"] = Json::parse(R"({"roles": {"user": "U", "assistant": "A"}, "seps": ["|"],
      "stop_token_ids": [7, 32000]})");
  ASSERT_OK(const MlcConfig both, parse(json));
  EXPECT_EQ(both.config.eos_ids, (std::vector<uint32_t>{2, 99}));
  json.erase("eos_token_id");
  ASSERT_OK(const MlcConfig stop_ids, parse(json));
  EXPECT_EQ(stop_ids.config.eos_ids, std::vector<uint32_t>{7});  // 32000 is another tokenizer's
  json["eos_token_id"] = 100;
  json["bos_token_id"] = 100;
  json["conv_template"] = "llama-2";  // of 2023
  ASSERT_OK(const MlcConfig stale, parse(json));
  EXPECT_TRUE(stale.config.eos_ids.empty());
  EXPECT_FALSE(stale.config.bos_id.has_value());
  EXPECT_FALSE(stale.conversation.has_value());
}

TEST(MlcConfig, PrefersGenerationConfig) {
  const TempFolder folder;
  folder.write("mlc-chat-config.json", small_llama().dump());
  ASSERT_OK(const MlcConfig alone, load_mlc_config(folder.path()));
  EXPECT_EQ(alone.generation.temperature, 0.5f);
  folder.write("generation_config.json", R"({"eos_token_id": 5, "temperature": 2.0})");
  ASSERT_OK(const MlcConfig mlc, load_mlc_config(folder.path()));
  EXPECT_EQ(mlc.generation.eos_ids, std::vector<uint32_t>{5});
  EXPECT_EQ(mlc.generation.temperature, 2.0f);
  EXPECT_FALSE(mlc.generation.top_p.has_value());
}

TEST(MlcConfig, ReadsWindowsAndContexts) {
  Json json = small_llama();
  Json& model = json["model_config"];
  json["model_type"] = "mistral";
  json["context_window_size"] = model["context_window_size"] = -1;
  json["sliding_window_size"] = model["sliding_window_size"] = 24;
  ASSERT_OK(const MlcConfig windowed, parse(json));
  EXPECT_EQ(windowed.config.window(0), 24u);
  EXPECT_EQ(windowed.config.max_seq_len, 32768u);
  model["sliding_window_size"] = -1;
  json["sliding_window_size"] = -1;
  json["context_window_size"] = 48;
  ASSERT_OK(const MlcConfig whole, parse(json));
  EXPECT_EQ(whole.config.window(0), 0u);
  EXPECT_EQ(whole.config.max_seq_len, 48u);
  json.erase("context_window_size");
  expect_error(parse(json), ErrorCode::bad_format,
               {"c: model_config: 'max_position_embeddings' is missing"});
}

TEST(MlcConfig, RefusesWhatItCannotRead) {
  const auto refused = [](const Json& json, ErrorCode code, std::string_view fragment) {
    expect_error(parse(json), code, {"c: ", fragment});
  };
  constexpr auto bad = ErrorCode::bad_format, other = ErrorCode::unsupported;
  expect_error(parse_mlc_config("{", "c"), bad, {"c: is not valid JSON"});
  expect_error(parse_mlc_config("[]", "c"), bad, {"c: is an array of 0, expected an object"});
  Json json = small_llama();
  json.erase("quantization");
  refused(json, bad, "'quantization' is missing");
  json = small_llama();
  json["model_type"] = "rwkv5";
  refused(json, other, "model_config: 'model_type' is 'rwkv5', which is not supported");
  json["model_type"] = 5;
  refused(json, bad, "'model_type' is 5, expected a string");
  json = small_llama();
  json["model_config"] = 7;
  refused(json, bad, "'model_config' is 7, expected an object");
  json["model_config"] = Json::object();
  refused(json, bad, "model_config: 'hidden_size' is missing");
  json["model_config"] = {{"text_config", 7}};
  refused(json, bad, "model_config: 'hidden_size' is missing");
  json = small_llama();
  json["model_config"]["num_hidden_layers"] = 1'000'000;
  refused(json, bad, "'num_hidden_layers' is 1000000");
  json = small_llama();
  json["eos_token_id"] = "x";
  refused(json, bad, "'eos_token_id' holds \"x\"");
  json = small_llama();
  json["temperature"] = -1;
  refused(json, bad, "'temperature' is -1");
}

}  // namespace
}  // namespace handloom::formats
