// config.json: both dialects, every refusal, and what a Config says about itself.
#include "formats/config.h"

#include "base/json.h"
#include "formats/safetensors.h"
#include "tests/formats/support.h"

namespace handloom::formats {
namespace {

/// A small Llama without head_dim and without any of the optional keys.
Json small_llama() {
  return Json::parse(R"({"model_type": "llama", "hidden_size": 64, "intermediate_size": 96,
      "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": 100,
      "max_position_embeddings": 32, "rms_norm_eps": 1e-6})");
}

Result<Config> parse(const Json& json) { return parse_config(json.dump(), "c"); }

TEST(Config, FillsInWhatOldFilesLeaveOut) {
  ASSERT_OK(const Config config, parse(small_llama()));
  EXPECT_EQ(config.architecture, "llama");
  EXPECT_EQ(config.model_dim, 64u);
  EXPECT_EQ(config.ffn_dim, 96u);
  EXPECT_EQ(config.n_layers, 3u);
  EXPECT_EQ(config.n_heads, 4u);
  EXPECT_EQ(config.n_kv_heads, 4u);
  EXPECT_EQ(config.head_dim, 16u);
  EXPECT_EQ(config.vocab_size, 100u);
  EXPECT_EQ(config.max_seq_len, 32u);
  EXPECT_EQ(config.norm_eps, 1e-6f);
  EXPECT_FALSE(config.tied_embeddings);
  EXPECT_EQ(config.rope, (Rope{.theta = 10000.0f, .dim = 16}));
  EXPECT_TRUE(config.eos_ids.empty());
  EXPECT_FALSE(config.bos_id.has_value());
  EXPECT_FALSE(config.is_gqa());
  EXPECT_EQ(config.q_per_kv(), 1u);
}

TEST(Config, ReadsTheOptionalKeys) {
  Json json = small_llama();
  json.update(Json::parse(R"({"architectures": ["LlamaForCausalLM"], "head_dim": 32,
      "num_key_value_heads": 2, "tie_word_embeddings": true, "eos_token_id": [99, 7],
      "bos_token_id": 3, "attention_bias": false, "mlp_bias": false, "hidden_act": "silu",
      "partial_rotary_factor": 1, "pretraining_tp": 1, "sliding_window": null,
      "quantization_config": null, "rope_scaling": null, "torch_dtype": "bfloat16"})"));
  ASSERT_OK(const Config config, parse(json));
  EXPECT_EQ(config.head_dim, 32u);
  EXPECT_EQ(config.rope.dim, 32u);
  EXPECT_EQ(config.q_dim(), 128u);
  EXPECT_EQ(config.kv_dim(), 64u);
  EXPECT_EQ(config.q_per_kv(), 2u);
  EXPECT_TRUE(config.is_gqa());
  EXPECT_TRUE(config.tied_embeddings);
  EXPECT_EQ(config.eos_ids, std::vector<uint32_t>({99, 7}));
  EXPECT_EQ(config.bos_id, 3u);
  EXPECT_EQ(config.kv_bytes_per_token(DType::f16), 2u * 3 * 2 * 32 * 2);
  json["eos_token_id"] = 5;
  ASSERT_OK(const Config single, parse(json));
  EXPECT_EQ(single.eos_ids, std::vector<uint32_t>({5}));
}

TEST(Config, CountsTheWeightsOfRealModels) {
  struct Model {
    std::string folder;
    uint32_t max_seq_len, eos_id;
    bool tied;
  };
  const std::string golden = HANDLOOM_GOLDEN_DIR "/";
  for (const auto& [folder, max_seq_len, eos_id, tied] :
       {Model{golden + "llama2", 512, 2, false}, Model{golden + "llama3.2", 512, 604, true},
        Model{HANDLOOM_STARTER_DIR, 512, 2047, true}}) {
    SCOPED_TRACE(folder);
    ASSERT_OK(const Config config, load_config(folder));
    ASSERT_OK(const Checkpoint checkpoint, open_safetensors(folder));
    uint64_t count = 0;
    for (const TensorInfo& tensor : checkpoint.tensors()) count += tensor.shape.count();
    EXPECT_EQ(config.weight_count(), count);
    EXPECT_EQ(config.max_seq_len, max_seq_len);
    EXPECT_EQ(config.tied_embeddings, tied);
    EXPECT_EQ(config.eos_ids, std::vector<uint32_t>({eos_id}));
    EXPECT_EQ(config.rope.dim, 32u);
  }
}

TEST(Config, NamesAFolderWithoutAConfig) {
  expect_error(load_config(HANDLOOM_GOLDEN_DIR "/nowhere"), ErrorCode::not_found, {"config.json"});
}

/// Keys laid over the small Llama, and what the message must hold.
struct Refusal {
  std::string_view patch;
  std::string_view fragment;
};

void expect_refusals(ErrorCode code, std::initializer_list<Refusal> refusals) {
  for (const auto& [patch, fragment] : refusals) {
    SCOPED_TRACE(patch);
    Json json = small_llama();
    json.update(Json::parse(patch));
    expect_error(parse(json), code, {"c: ", fragment});
  }
}

TEST(Config, RefusesSizesOutOfRange) {
  expect_refusals(
      ErrorCode::bad_format,
      {
          {R"({"model_type": null})", "'model_type' is missing"},
          {R"({"model_type": 3})", "'model_type' is 3, expected a string"},
          {R"({"hidden_size": null})", "'hidden_size' is missing"},
          {R"({"hidden_size": 0})", "'hidden_size' is 0, expected 1 to 65536"},
          {R"({"hidden_size": 65537})", "'hidden_size' is 65537, expected 1 to 65536"},
          {R"({"hidden_size": -64})", "'hidden_size' is -64, expected a whole number"},
          {R"({"hidden_size": 64.0})", "'hidden_size' is 64.0, expected a whole number"},
          {R"({"hidden_size": "64"})", "'hidden_size' is \"64\", expected a whole number"},
          {R"({"hidden_size": 66})", "expected a multiple of num_attention_heads (4)"},
          {R"({"hidden_size": 60})", "'head_dim' is 15, expected an even number"},
          {R"({"hidden_size": 65536})", "'head_dim' is 16384, expected an even number up to 1024"},
          {R"({"intermediate_size": 0})", "'intermediate_size' is 0"},
          {R"({"intermediate_size": 1048577})", "'intermediate_size' is 1048577"},
          {R"({"num_hidden_layers": 0})", "'num_hidden_layers' is 0, expected 1 to 1000"},
          {R"({"num_hidden_layers": 1001})", "'num_hidden_layers' is 1001"},
          {R"({"num_attention_heads": 0})", "'num_attention_heads' is 0, expected 1 to 1024"},
          {R"({"num_attention_heads": 2048})", "'num_attention_heads' is 2048"},
          {R"({"num_key_value_heads": 0})", "'num_key_value_heads' is 0"},
          {R"({"num_key_value_heads": 3})",
           "'num_key_value_heads' is 3, expected a divisor of num_attention_heads (4)"},
          {R"({"num_key_value_heads": 8})", "'num_key_value_heads' is 8, expected a divisor"},
          {R"({"head_dim": 0})", "'head_dim' is 0, expected 2 to 1024"},
          {R"({"head_dim": 15})", "'head_dim' is 15, expected an even number"},
          {R"({"head_dim": 1026})", "'head_dim' is 1026, expected 2 to 1024"},
          {R"({"vocab_size": 0})", "'vocab_size' is 0"},
          {R"({"vocab_size": 16777217})", "'vocab_size' is 16777217"},
          {R"({"max_position_embeddings": 0})", "'max_position_embeddings' is 0"},
          {R"({"max_position_embeddings": 16777217})", "'max_position_embeddings' is 16777217"},
          {R"({"rms_norm_eps": 0})", "'rms_norm_eps' is 0, expected more than 0 and at most 0.01"},
          {R"({"rms_norm_eps": -1e-6})", "'rms_norm_eps' is -1e-06"},
          {R"({"rms_norm_eps": 0.5})", "'rms_norm_eps' is 0.5"},
          {R"({"rms_norm_eps": 1e-60})", "'rms_norm_eps' is 1e-60"},
          {R"({"rms_norm_eps": "1e-6"})", "expected a number"},
          {R"({"tie_word_embeddings": 1})", "'tie_word_embeddings' is 1, expected true or false"},
          {R"({"eos_token_id": 100})",
           "'eos_token_id' is 100, expected less than vocab_size (100)"},
          {R"({"eos_token_id": [1, -1]})", "'eos_token_id' holds -1, expected token ids"},
          {R"({"eos_token_id": "2"})", "'eos_token_id' holds \"2\""},
          {R"({"bos_token_id": 100})",
           "'bos_token_id' is 100, expected less than vocab_size (100)"},
          {R"({"bos_token_id": [1]})", "'bos_token_id' is an array of 1"},
      });
}

TEST(Config, RefusesFeaturesByName) {
  expect_refusals(
      ErrorCode::unsupported,
      {
          {R"({"model_type": "mamba"})",
           "'mamba', which is not supported (supported: llama, mistral, phi3, qwen2, qwen3, "
           "qwen3_moe, "
           "gemma2, "
           "gemma3_text)"},
          {R"({"architectures": ["LlamaForSequenceClassification"]})",
           R"('architectures' is ["LlamaForSequenceClassification"], expected ["LlamaForCausalLM"])"},
          {R"({"architectures": []})", "'architectures' is an array of 0"},
          {R"({"attention_bias": true})", "'attention_bias' is true, only false is supported"},
          {R"({"mlp_bias": true})", "'mlp_bias' is true, only false is supported"},
          {R"({"hidden_act": "gelu"})", R"('hidden_act' is "gelu", only "silu" is supported)"},
          {R"({"partial_rotary_factor": 0.5})", "'partial_rotary_factor' is 0.5"},
          {R"({"pretraining_tp": 2})", "'pretraining_tp' is 2, only 1 is supported"},
          {R"({"sliding_window": 4096})", "'sliding_window' is 4096, only null is supported"},
          {R"({"quantization_config": {}})", "'quantization_config' is an object"},
          {R"({"is_encoder_decoder": true})", "'is_encoder_decoder' is true"},
          {R"({"attention_bias": "no"})", R"('attention_bias' is "no", only false is supported)"},
      });
}

TEST(Config, RefusesWhatIsNoJsonObject) {
  expect_error(parse_config("", "c"), ErrorCode::bad_format, {"c: is not valid JSON (0 bytes)"});
  expect_error(parse_config("[]", "c"), ErrorCode::bad_format, {"c: is an array of 0"});
  expect_error(parse_config("{}", "c"), ErrorCode::bad_format, {"'model_type' is missing"});
  expect_error(parse_config("{\"a\": 1e999}", "c"), ErrorCode::bad_format, {"is not valid JSON"});
  const std::string deep(200'000, '[');
  expect_error(parse_config(deep, "c"), ErrorCode::bad_format, {"is not valid JSON"});
  const std::string closed = deep + std::string(deep.size(), ']');
  expect_error(parse_config(closed, "c"), ErrorCode::bad_format, {"is an array of 1"});
}

TEST(Config, RefusesEveryTruncationOfARealFile) {
  ASSERT_OK(const std::string text, read_text_file(HANDLOOM_GOLDEN_DIR "/llama3.2/config.json"));
  ASSERT_TRUE(parse_config(text, "c").has_value());
  for (size_t size = 0; size < text.rfind('}'); ++size) {
    expect_error(parse_config(text.substr(0, size), "c"), ErrorCode::bad_format,
                 {"not valid JSON"});
  }
}

}  // namespace
}  // namespace handloom::formats
