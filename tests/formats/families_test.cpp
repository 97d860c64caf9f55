// The families beside Llama: what the golden folders and the published files say, that both
// dialects say the same, and every refusal.
#include "formats/config.h"
#include "formats/safetensors.h"

#include "base/json.h"
#include "tests/formats/support.h"

#include <cmath>

namespace handloom::formats {
namespace {

Result<Config> parse(const Json& json) { return parse_config(json.dump(), "c"); }

Result<Config> parse(std::string_view json, std::string_view patch = "{}") {
  Json merged = Json::parse(json);
  merged.update(Json::parse(patch));
  return parse(merged);
}

Json golden_json(const std::string& name) {
  const Result<std::string> text = read_text_file(HANDLOOM_GOLDEN_DIR "/" + name + "/config.json");
  EXPECT_TRUE(text.has_value());
  return Json::parse(*text);
}

// ---- What the golden folders say ----------------------------------------------------------------

/// What a Llama of the goldens' usual size would be; each test states the differences.
Config golden_config(std::string architecture) {
  return {.architecture = std::move(architecture),
          .model_dim = 128,
          .ffn_dim = 352,
          .n_layers = 2,
          .n_heads = 4,
          .n_kv_heads = 2,
          .head_dim = 32,
          .vocab_size = 600,
          .max_seq_len = 512,
          .norm_eps = 1e-6f,
          .rope = {.theta = 10000, .dim = 32},
          .attention_scale = 1 / std::sqrt(32.0f)};
}

void expect_golden(const std::string& name, const Config& want) {
  ASSERT_OK(const Config got, load_config(HANDLOOM_GOLDEN_DIR "/" + name));
  EXPECT_EQ(got, want);
  ASSERT_OK(const Checkpoint checkpoint, open_safetensors(HANDLOOM_GOLDEN_DIR "/" + name));
  uint64_t count = 0;
  for (const TensorInfo& tensor : checkpoint.tensors()) count += tensor.shape.count();
  EXPECT_EQ(got.weight_count(), count);
}

TEST(Families, MistralHasAWindowInEveryLayer) {
  Config want = golden_config("mistral");
  want.norm_eps = 1e-5f;
  want.eos_ids = {2};
  want.bos_id = 1;
  want.windows = {16, 16};
  expect_golden("mistral-swa", want);
  EXPECT_EQ(want.window(1), 16u);
}

TEST(Families, Phi3HasFusedProjections) {
  Config want = golden_config("phi3");
  want.model_dim = 192;
  want.n_heads = 2;
  want.head_dim = 96;
  want.attention_scale = 1 / std::sqrt(96.0f);
  want.rope.dim = 96;
  want.vocab_size = 605;
  want.norm_eps = 1e-5f;
  want.eos_ids = {603};
  want.bos_id = 1;
  want.fused_projections = true;
  want.windows = {2047, 2047};
  expect_golden("phi3", want);

  want.n_kv_heads = 1;
  want.windows = {0, 0};
  want.rope.scaling = RopeScaling::longrope;
  want.rope.factor = 16;
  want.rope.original_max_seq_len = 32;
  want.rope.attention_factor = static_cast<float>(std::sqrt(1.8));  // ln(16) / ln(32) = 4 / 5
  const Json scaling = golden_json("phi3-longrope")["rope_scaling"];
  want.rope.short_factor = scaling["short_factor"].get<std::vector<float>>();
  want.rope.long_factor = scaling["long_factor"].get<std::vector<float>>();
  ASSERT_EQ(want.rope.long_factor.size(), 48u);
  ASSERT_EQ(want.rope.long_factor[1], 1.3f);
  expect_golden("phi3-longrope", want);
}

TEST(Families, Qwen2HasABias) {
  Config want = golden_config("qwen2");
  want.vocab_size = 603;
  want.tied_embeddings = true;
  want.rope.theta = 1e6f;
  want.eos_ids = {602};
  want.qkv_bias = true;
  expect_golden("qwen2", want);
}

TEST(Families, Qwen3NormalisesHeadsWiderThanTheirShare) {
  Config want = golden_config("qwen3");
  want.head_dim = 64;
  want.attention_scale = 0.125f;
  want.vocab_size = 603;
  want.tied_embeddings = true;
  want.rope = {.theta = 1e6f, .dim = 64};
  want.eos_ids = {602};
  want.qk_norm = true;
  expect_golden("qwen3", want);
}

TEST(Families, Gemma2CapsAndAlternates) {
  Config want = golden_config("gemma2");
  want.vocab_size = 602;
  want.tied_embeddings = true;
  want.eos_ids = {601};
  want.bos_id = 2;
  want.gemma_norms = true;
  want.activation = Activation::gelu_tanh;
  want.attention_scale = 1 / std::sqrt(48.0f);  // query_pre_attn_scalar, not head_dim
  want.attn_softcap = 50;
  want.final_softcap = 30;
  want.embedding_scale = std::sqrt(128.0f);
  want.windows = {16, 0};
  expect_golden("gemma2", want);
}

TEST(Families, Gemma3HasTwoRotations) {
  Config want = golden_config("gemma3_text");
  want.n_layers = 3;
  want.n_kv_heads = 1;
  want.head_dim = 64;
  want.attention_scale = 0.125f;
  want.vocab_size = 602;
  want.tied_embeddings = true;
  want.eos_ids = {601};
  want.bos_id = 2;
  want.gemma_norms = true;
  want.qk_norm = true;
  want.activation = Activation::gelu_tanh;
  want.embedding_scale = std::sqrt(128.0f);
  want.windows = {16, 16, 0};
  want.rope = {.theta = 1e6f, .dim = 64};
  want.local_rope = Rope{.theta = 10000, .dim = 64};
  expect_golden("gemma3", want);
  EXPECT_EQ(want.layer_rope(1).theta, 10000);
  EXPECT_EQ(want.layer_rope(2).theta, 1e6f);
}

// ---- Both dialects ------------------------------------------------------------------------------

TEST(Families, Gemma3SaysTheSameInBothDialects) {
  const Json recent = golden_json("gemma3");
  Json old = recent;
  for (const char* key : {"rope_parameters", "layer_types", "_sliding_window_pattern"}) {
    old.erase(key);
  }
  old.update(Json::parse(R"({"rope_theta": 1000000, "rope_local_base_freq": 10000.0,
      "rope_scaling": null, "sliding_window_pattern": 3})"));
  ASSERT_OK(const Config a, parse(recent));
  ASSERT_OK(const Config b, parse(old));
  EXPECT_EQ(a, b);

  // The larger ones stretch the global rotation, and that one alone.
  old["rope_scaling"] = Json::parse(R"({"factor": 8.0, "rope_type": "linear"})");
  Json stretched = recent;
  stretched["rope_parameters"]["full_attention"] =
      Json::parse(R"({"factor": 8.0, "rope_type": "linear", "rope_theta": 1e6})");
  ASSERT_OK(const Config c, parse(stretched));
  ASSERT_OK(const Config d, parse(old));
  EXPECT_EQ(c, d);
  EXPECT_EQ(c.rope.factor, 8);
  EXPECT_EQ(c.local_rope->scaling, RopeScaling::none);

  Json both = recent;
  both["rope_local_base_freq"] = 10000;
  ASSERT_OK(const Config e, parse(both));
  EXPECT_EQ(e, a);
}

TEST(Families, LongropeSaysTheSameInBothDialects) {
  const Json old = golden_json("phi3-longrope");
  Json recent = old;
  recent.erase("rope_theta");
  recent.erase("rope_scaling");
  Json& parameters = recent["rope_parameters"] = old["rope_scaling"];
  parameters.erase("type");
  parameters.update(Json::parse(R"({"rope_type": "longrope", "rope_theta": 10000.0, "factor": 16,
      "original_max_position_embeddings": 32, "partial_rotary_factor": 1.0})"));
  ASSERT_OK(const Config a, parse(old));
  ASSERT_OK(const Config b, parse(recent));
  EXPECT_EQ(a, b);
  recent.erase("original_max_position_embeddings");  // the nested one is enough
  ASSERT_OK(const Config c, parse(recent));
  EXPECT_EQ(a, c);

  Json first = old;  // as the first Phi-3 files called it
  first["rope_scaling"]["type"] = "su";
  ASSERT_OK(const Config d, parse(first));
  EXPECT_EQ(a, d);
}

// ---- Published files, shortened to what is read and what might be stumbled over
// -------------------

constexpr std::string_view kMistral7b = R"({"architectures": ["MistralForCausalLM"],
    "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 4096,
    "initializer_range": 0.02, "intermediate_size": 14336, "max_position_embeddings": 32768,
    "model_type": "mistral", "num_attention_heads": 32, "num_hidden_layers": 32,
    "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
    "sliding_window": 4096, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
    "transformers_version": "4.34.0.dev0", "use_cache": true, "vocab_size": 32000})";

constexpr std::string_view kPhi3Mini4k = R"({"_name_or_path": "Phi-3-mini-4k-instruct",
    "architectures": ["Phi3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
    "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config",
    "AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"}, "bos_token_id": 1,
    "embd_pdrop": 0.0, "eos_token_id": 32000, "hidden_act": "silu", "hidden_size": 3072,
    "initializer_range": 0.02, "intermediate_size": 8192, "max_position_embeddings": 4096,
    "model_type": "phi3", "num_attention_heads": 32, "num_hidden_layers": 32,
    "num_key_value_heads": 32, "original_max_position_embeddings": 4096, "pad_token_id": 32000,
    "resid_pdrop": 0.0, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 10000.0,
    "sliding_window": 2047, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
    "transformers_version": "4.40.2", "use_cache": true, "vocab_size": 32064})";

constexpr std::string_view kQwen25 = R"({"architectures": ["Qwen2ForCausalLM"],
    "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151645,
    "hidden_act": "silu", "hidden_size": 896, "initializer_range": 0.02,
    "intermediate_size": 4864, "max_position_embeddings": 32768, "max_window_layers": 21,
    "model_type": "qwen2", "num_attention_heads": 14, "num_hidden_layers": 24,
    "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
    "sliding_window": 32768, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
    "transformers_version": "4.43.1", "use_cache": true, "use_sliding_window": false,
    "vocab_size": 151936})";

constexpr std::string_view kQwen3 = R"({"architectures": ["Qwen3ForCausalLM"],
    "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 151643,
    "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024,
    "initializer_range": 0.02, "intermediate_size": 3072, "max_position_embeddings": 40960,
    "max_window_layers": 28, "model_type": "qwen3", "num_attention_heads": 16,
    "num_hidden_layers": 28, "num_key_value_heads": 8, "rms_norm_eps": 1e-06,
    "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null,
    "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.51.0",
    "use_cache": true, "use_sliding_window": false, "vocab_size": 151936})";

constexpr std::string_view kGemma2 = R"({"architectures": ["Gemma2ForCausalLM"],
    "attention_bias": false, "attention_dropout": 0.0, "attn_logit_softcapping": 50.0,
    "bos_token_id": 2, "cache_implementation": "hybrid", "eos_token_id": [1, 107],
    "final_logit_softcapping": 30.0, "head_dim": 256, "hidden_act": "gelu_pytorch_tanh",
    "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2304, "initializer_range": 0.02,
    "intermediate_size": 9216, "max_position_embeddings": 8192, "model_type": "gemma2",
    "num_attention_heads": 8, "num_hidden_layers": 26, "num_key_value_heads": 4,
    "pad_token_id": 0, "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06,
    "rope_theta": 10000.0, "sliding_window": 4096, "sliding_window_size": 4096,
    "torch_dtype": "bfloat16", "transformers_version": "4.42.4", "use_cache": true,
    "vocab_size": 256000})";

constexpr std::string_view kGemma3 = R"({"architectures": ["Gemma3ForCausalLM"],
    "attention_bias": false, "attention_dropout": 0.0, "attn_logit_softcapping": null,
    "bos_token_id": 2, "cache_implementation": "hybrid", "eos_token_id": [1, 106],
    "final_logit_softcapping": null, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 1152, "initializer_range": 0.02, "intermediate_size": 6912,
    "max_position_embeddings": 32768, "model_type": "gemma3_text", "num_attention_heads": 4,
    "num_hidden_layers": 26, "num_key_value_heads": 1, "pad_token_id": 0,
    "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000,
    "rope_scaling": null, "rope_theta": 1000000, "sliding_window": 512,
    "sliding_window_pattern": 6, "torch_dtype": "bfloat16",
    "transformers_version": "4.50.0.dev0", "use_cache": true, "vocab_size": 262144})";

TEST(Families, TakesThePublishedMistrals) {
  ASSERT_OK(const Config v01, parse(kMistral7b));
  EXPECT_EQ(v01.windows, std::vector<uint32_t>(32, 4096));
  EXPECT_EQ(v01.weight_count(), 7'241'732'096u);
  ASSERT_OK(const Config v03, parse(kMistral7b, R"({"rope_theta": 1000000.0,
      "sliding_window": null, "attention_dropout": 0.0, "vocab_size": 32768})"));
  EXPECT_EQ(v03.window(31), 0u);
  EXPECT_EQ(v03.rope.theta, 1e6f);
  EXPECT_EQ(v03.weight_count(), 7'248'023'552u);
}

/// Phi-3-mini-128k-instruct; its divisors are not those published, their number is.
Json phi3_mini_128k() {
  Json json = Json::parse(kPhi3Mini4k);
  json.update(Json::parse(R"({"max_position_embeddings": 131072, "sliding_window": 262144,
      "_name_or_path": "Phi-3-mini-128k-instruct"})"));
  json["rope_scaling"] = {{"type", "longrope"}};
  for (int i = 0; i < 48; ++i) {
    json["rope_scaling"]["short_factor"].push_back(1.0 + 0.05 * i);
    json["rope_scaling"]["long_factor"].push_back(1.0 + 1.25 * i);
  }
  return json;
}

TEST(Families, TakesThePublishedPhi3s) {
  ASSERT_OK(const Config small, parse(kPhi3Mini4k));
  EXPECT_EQ(small.window(0), 2047u);
  EXPECT_EQ(small.head_dim, 96u);
  EXPECT_EQ(small.weight_count(), 3'821'079'552u);
  ASSERT_OK(const Config large, parse(phi3_mini_128k()));
  EXPECT_EQ(large.window(0), 262144u);
  EXPECT_EQ(large.rope.factor, 32);
  EXPECT_NEAR(large.rope.attention_factor, 1.190238, 1e-6);  // sqrt(1 + 5 / 12)
}

TEST(Families, TakesThePublishedQwens) {
  ASSERT_OK(const Config qwen25, parse(kQwen25));
  EXPECT_EQ(qwen25.window(0), 0u);
  EXPECT_EQ(qwen25.weight_count(), 494'032'768u);
  ASSERT_OK(const Config qwen3, parse(kQwen3));
  EXPECT_EQ(qwen3.q_dim(), 2048u);
  EXPECT_EQ(qwen3.weight_count(), 596'049'920u);
}

TEST(Families, TakesThePublishedGemmas) {
  ASSERT_OK(const Config gemma2, parse(kGemma2));
  EXPECT_TRUE(gemma2.tied_embeddings);
  EXPECT_EQ(gemma2.weight_count(), 2'614'341'888u);
  for (uint32_t il = 0; il < 26; ++il) EXPECT_EQ(gemma2.window(il), il % 2 == 0 ? 4096u : 0u);
  ASSERT_OK(const Config gemma3, parse(kGemma3));
  EXPECT_EQ(gemma3.weight_count(), 999'885'952u);
  EXPECT_EQ(gemma3.eos_ids, std::vector<uint32_t>({1, 106}));
  EXPECT_EQ(gemma3.final_softcap, 0);
  for (uint32_t il = 0; il < 26; ++il) {
    EXPECT_EQ(gemma3.window(il), il % 6 == 5 ? 0u : 512u);  // 5, 11, 17, 23 are full
    EXPECT_EQ(gemma3.layer_rope(il).theta, il % 6 == 5 ? 1e6f : 1e4f);
  }
}

// ---- Keys that are not there
// ----------------------------------------------------------------------

/// `json` without `keys`.
Json without(std::string_view json, std::initializer_list<const char*> keys) {
  Json smaller = Json::parse(json);
  for (const char* key : keys) smaller.erase(key);
  return smaller;
}

TEST(Families, AnAbsentKeyMeansWhatTransformersAssumes) {
  ASSERT_OK(const Config mistral, parse(without(kMistral7b, {"sliding_window"})));
  EXPECT_EQ(mistral.window(0), 4096u);
  ASSERT_OK(const Config phi3, parse(without(kPhi3Mini4k, {"sliding_window"})));
  EXPECT_EQ(phi3.window(0), 0u);
  ASSERT_OK(const Config gemma2, parse(kGemma2));
  ASSERT_OK(const Config bare2, parse(without(kGemma2, {"sliding_window", "attn_logit_softcapping",
                                                        "final_logit_softcapping",
                                                        "query_pre_attn_scalar", "rope_theta"})));
  EXPECT_EQ(bare2, gemma2);
  ASSERT_OK(const Config gemma3, parse(kGemma3));
  ASSERT_OK(const Config bare3,
            parse(without(kGemma3, {"attn_logit_softcapping", "final_logit_softcapping",
                                    "query_pre_attn_scalar", "rope_theta", "rope_local_base_freq",
                                    "sliding_window_pattern", "rope_scaling"})));
  EXPECT_EQ(bare3, gemma3);
}

TEST(Families, ANullCapMeansNone) {
  ASSERT_OK(const Config config, parse(kGemma2, R"({"attn_logit_softcapping": null,
      "final_logit_softcapping": null})"));
  EXPECT_EQ(config.attn_softcap, 0);
  EXPECT_EQ(config.final_softcap, 0);
}

TEST(Families, LayerTypesOverrideThePattern) {
  Json json = Json::parse(kGemma2);
  json["num_hidden_layers"] = 3;
  json["layer_types"] = {"full_attention", "full_attention", "sliding_attention"};
  ASSERT_OK(const Config config, parse(json));
  EXPECT_EQ(config.windows, std::vector<uint32_t>({0, 0, 4096}));
  // Where all layers are alike they may only repeat it.
  json = Json::parse(kQwen3);
  json["layer_types"] = std::vector<std::string>(28, "full_attention");
  EXPECT_TRUE(parse(json).has_value());
  json = Json::parse(kMistral7b);
  json["layer_types"] = std::vector<std::string>(32, "sliding_attention");
  EXPECT_TRUE(parse(json).has_value());
}

// ---- Refusals
// -------------------------------------------------------------------------------------

struct Refusal {
  std::string_view patch;
  std::string_view fragment;
};

void expect_refusals(std::string_view json, ErrorCode code,
                     std::initializer_list<Refusal> refusals) {
  ASSERT_TRUE(parse(json).has_value());
  for (const auto& [patch, fragment] : refusals) {
    SCOPED_TRACE(patch);
    expect_error(parse(json, patch), code, {"c: ", fragment});
  }
}

TEST(Families, RefusesWhatNoFamilyHas) {
  for (const std::string_view json : {kMistral7b, kPhi3Mini4k, kQwen25, kQwen3, kGemma2, kGemma3}) {
    expect_refusals(
        json, ErrorCode::unsupported,
        {{R"({"attention_bias": true})", "'attention_bias' is true, only false is supported"},
         {R"({"partial_rotary_factor": 0.75})", "'partial_rotary_factor' is 0.75"},
         {R"({"hidden_act": "relu"})", "'hidden_act' is \"relu\", only \""},
         {R"({"mlp_bias": true})", "'mlp_bias' is true"},
         {R"({"quantization_config": {"bits": 4}})", "'quantization_config' is an object"},
         {R"({"architectures": ["LlamaForCausalLM"]})",
          "'architectures' is [\"LlamaForCausalLM\"], expected [\""},
         {R"({"rope_scaling": {"type": "yarn", "factor": 4.0,
              "original_max_position_embeddings": 32768}})",
          "rope_scaling: 'rope_type' is 'yarn', which is not supported"},
         {R"({"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}})", "'dynamic'"},
         {R"({"rope_scaling": {"type": "default", "partial_rotary_factor": 0.5}})",
          "rope_scaling: 'partial_rotary_factor' is 0.5"}});
    expect_refusals(
        json, ErrorCode::bad_format,
        {{R"({"layer_types": "full_attention"})",
          "'layer_types' is \"full_attention\", expected an array of "},
         {R"({"layer_types": []})", "'layer_types' is an array of 0, expected an array"},
         {R"({"layer_types": ["full_attention"]})", "'layer_types' is an array of 1"},
         {R"({"tie_word_embeddings": "yes"})", "'tie_word_embeddings' is \"yes\""}});
  }
}

TEST(Families, RefusesOtherModelsOfTheSameHouse) {
  for (const std::string name :
       {"gemma", "gemma3", "gemma3n_text", "qwen2_moe", "phi", "phimoe", "ministral"}) {
    expect_error(parse(kMistral7b, R"({"model_type": ")" + name + "\"}"), ErrorCode::unsupported,
                 {"'model_type' is '" + name +
                  "', which is not supported (supported: llama, mistral, phi3, qwen2, qwen3, "
                  "qwen3_moe, gemma2, "
                  "gemma3_text)"});
  }
}

TEST(Families, RefusesWindowsThatAreNone) {
  for (const std::string_view json : {kMistral7b, kPhi3Mini4k, kGemma2, kGemma3}) {
    expect_refusals(json, ErrorCode::bad_format,
                    {{R"({"sliding_window": 0})", "'sliding_window' is 0, expected 1 to 16777216"},
                     {R"({"sliding_window": -1})", "'sliding_window' is -1"},
                     {R"({"sliding_window": 16777217})", "'sliding_window' is 16777217"},
                     {R"({"sliding_window": 512.5})", "'sliding_window' is 512.5"},
                     {R"({"sliding_window": "512"})", "'sliding_window' is \"512\""}});
  }
  for (const std::string_view json : {kGemma2, kGemma3}) {
    expect_refusals(json, ErrorCode::bad_format,
                    {{R"({"sliding_window": null})",
                      "'sliding_window' is null, expected a number, as layer 0 slides"}});
  }
  for (const std::string_view json : {kQwen25, kQwen3}) {
    expect_refusals(json, ErrorCode::unsupported,
                    {{R"({"use_sliding_window": true})",
                      "'use_sliding_window' is true, only false is supported"}});
  }
}

TEST(Families, RefusesLayersOfAnotherType) {
  const auto with_types = [](std::string_view json, size_t n, const char* type) {
    Json changed = Json::parse(json);
    changed["layer_types"] = std::vector<std::string>(n, type);
    return parse(changed);
  };
  for (const std::string_view json : {kGemma2, kGemma3}) {
    expect_error(with_types(json, 26, "chunked_attention"), ErrorCode::unsupported,
                 {"c: 'layer_types' holds \"chunked_attention\", only \"full_attention\" and "
                  "\"sliding_attention\" are supported"});
    expect_error(with_types(json, 27, "full_attention"), ErrorCode::bad_format,
                 {"c: 'layer_types' is an array of 27, expected an array of 26"});
  }
  expect_error(with_types(kQwen3, 28, "linear_attention"), ErrorCode::unsupported,
               {"holds \"linear_attention\""});
  expect_error(with_types(kQwen3, 28, "sliding_attention"), ErrorCode::unsupported,
               {"c: 'layer_types' holds \"sliding_attention\", only \"full_attention\""});
  expect_error(with_types(kMistral7b, 32, "full_attention"), ErrorCode::unsupported,
               {"c: 'layer_types' holds \"full_attention\", only \"sliding_attention\""});
}

TEST(Families, RefusesWhatGemmaHasInOtherForms) {
  for (const std::string_view json : {kGemma2, kGemma3}) {
    expect_refusals(json, ErrorCode::unsupported,
                    {{R"({"hidden_activation": "gelu"})",
                      "'hidden_activation' is \"gelu\", only \"gelu_pytorch_tanh\" is supported"},
                     {R"({"use_bidirectional_attention": true})",
                      "'use_bidirectional_attention' is true, only false is supported"}});
    expect_refusals(
        json, ErrorCode::bad_format,
        {{R"({"query_pre_attn_scalar": 0})", "'query_pre_attn_scalar' is 0, expected more than 0"},
         {R"({"query_pre_attn_scalar": "256"})", "'query_pre_attn_scalar' is \"256\""},
         {R"({"final_logit_softcapping": 0})", "'final_logit_softcapping' is 0, expected more"},
         {R"({"final_logit_softcapping": -30})", "'final_logit_softcapping' is -30"},
         {R"({"final_logit_softcapping": true})", "'final_logit_softcapping' is true"}});
  }
  expect_refusals(
      kGemma2, ErrorCode::bad_format,
      {{R"({"attn_logit_softcapping": 0.0})", "'attn_logit_softcapping' is 0,"},
       {R"({"attn_logit_softcapping": 1e7})", "'attn_logit_softcapping' is 10000000,"}});
  expect_refusals(kGemma3, ErrorCode::unsupported,
                  {{R"({"attn_logit_softcapping": 50.0})",
                    "'attn_logit_softcapping' is 50.0, only null is supported"}});
}

TEST(Families, RefusesRotationsThatContradict) {
  expect_refusals(
      kGemma3, ErrorCode::bad_format,
      {{R"({"rope_local_base_freq": 0})", "'rope_local_base_freq' is 0, expected more than 1"},
       {R"({"sliding_window_pattern": 0})", "'sliding_window_pattern' is 0, expected 1 to 1000"},
       {R"({"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}})",
        "rope_parameters: 'sliding_attention' is missing"},
       {R"({"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e6},
            "sliding_attention": {"rope_type": "default", "rope_theta": 2e4}}})",
        "sliding_attention: 'rope_theta' is 20000, expected rope_local_base_freq (10000)"},
       {R"({"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 2e6},
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}})",
        "'rope_parameters' contradicts 'rope_theta'"},
       {R"({"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e6},
            "sliding_attention": {"rope_theta": 1e4}}})",
        "sliding_attention: 'rope_type' is missing"}});
  expect_refusals(
      kGemma2, ErrorCode::unsupported,
      {{R"({"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e4},
            "sliding_attention": {"rope_type": "default", "rope_theta": 2e4}}})",
        "'rope_parameters' differ by layer type, which 'gemma2' does not support"}});
}

// ---- Longrope
// -------------------------------------------------------------------------------------

TEST(Longrope, FrequenciesAreDividedAsTheContextAsks) {
  ASSERT_OK(const Config config, parse(phi3_mini_128k()));
  const auto expect_divided = [&](uint32_t context, double step) {
    const std::vector<float> freqs = config.rope.inv_freq(context);
    ASSERT_EQ(freqs.size(), 48u);
    for (int i = 0; i < 48; ++i) {
      // theta^(-2 i / dim) / divisor in double; float32 steps cost the exponent's rounding times
      // ln(theta) and one each for power, divisor, product and quotient.
      const double want = std::pow(10000.0, -2.0 * i / 96) / (1 + step * i);
      EXPECT_NEAR(freqs[i], want, want * (std::log(1e4) + 5) * 0x1p-24) << context << ": " << i;
    }
  };
  for (const uint32_t context : {0, 1, 4095, 4096}) expect_divided(context, 0.05);
  for (const uint32_t context : {4097, 131072}) expect_divided(context, 1.25);
}

TEST(Longrope, TheAttentionFactorFollowsTheGrowthOfTheContext) {
  struct Case {
    uint32_t original, extended;
    double factor;
  };
  // sqrt(1 + ln(extended / original) / ln(original)), which is sqrt(ln(extended) / ln(original)).
  for (const auto& [original, extended, factor] :
       {Case{4096, 131072, std::sqrt(17.0 / 12)}, Case{256, 65536, std::sqrt(2.0)},
        Case{32, 512, std::sqrt(9.0 / 5)},
        Case{3000, 10000, std::sqrt(std::log(1e4) / std::log(3e3))},
        // No growth, no factor.
        Case{4096, 4096, 1}, Case{4096, 2048, 1}}) {
    Json json = phi3_mini_128k();
    json["original_max_position_embeddings"] = original;
    json["max_position_embeddings"] = extended;
    ASSERT_OK(const Config config, parse(json));
    EXPECT_NEAR(config.rope.attention_factor, factor, factor * 0x1p-23) << extended;
    json["rope_scaling"]["attention_factor"] = 1.5;
    ASSERT_OK(const Config given, parse(json));
    EXPECT_EQ(given.rope.attention_factor, 1.5f);
  }
}

TEST(Longrope, RefusesOtherLists) {
  const auto nan = R"("NaN")";  // JSON has no number for it
  struct Change {
    const char* key;
    std::string value;
    const char* fragment;
  };
  const auto list = [](size_t n, const std::string& first) {
    std::string text = "[" + first;
    for (size_t i = 1; i < n; ++i) text += ", 1.5";
    return text + "]";
  };
  for (const auto& [key, value, fragment] :
       {Change{"short_factor", "null", "'short_factor' is missing"},
        Change{"short_factor", list(47, "1"), "'short_factor' is an array of 47"},
        Change{"short_factor", list(49, "1"), "'short_factor' is an array of 49"},
        Change{"short_factor", list(48, "0"), "expected an array of 48 positive numbers"},
        Change{"short_factor", list(48, "-1"), "expected an array of 48 positive numbers"},
        Change{"short_factor", list(48, nan), "expected an array of 48 positive numbers"},
        Change{"short_factor", list(48, "null"), "expected an array of 48 positive numbers"},
        Change{"short_factor", list(48, "1e-60"), "expected an array of 48 positive numbers"},
        Change{"short_factor", list(48, "1e60"), "expected an array of 48 positive numbers"},
        Change{"short_factor", "2.0", "'short_factor' is 2.0"},
        Change{"long_factor", "null", "'long_factor' is missing"},
        Change{"long_factor", "[]", "'long_factor' is an array of 0"},
        Change{"long_factor", list(48, "\"1.0\""), "expected an array of 48 positive numbers"},
        Change{"attention_factor", "0", "'attention_factor' is 0, expected more than 0"},
        Change{"attention_factor", "\"1\"", "'attention_factor' is \"1\""},
        Change{"factor", "8.0",
               "'factor' is 8, expected max_position_embeddings / "
               "original_max_position_embeddings (32)"},
        Change{"original_max_position_embeddings", "8192",
               "'original_max_position_embeddings' is 8192, expected 4096"}}) {
    SCOPED_TRACE(std::string(key) + " = " + value);
    Json json = phi3_mini_128k();
    json["rope_scaling"][key] = Json::parse(value);
    expect_error(parse(json), ErrorCode::bad_format, {"c: rope_scaling: ", fragment});
  }
  Json json = phi3_mini_128k();
  json.erase("original_max_position_embeddings");
  expect_error(parse(json), ErrorCode::bad_format,
               {"'original_max_position_embeddings' is missing"});
}

TEST(Families, ReadsAMixtureOfExperts) {
  const Config config = load_config(HANDLOOM_GOLDEN_DIR "/qwen3-moe").value();
  EXPECT_EQ(config.architecture, "qwen3_moe");
  EXPECT_EQ(config.n_experts, 8u);
  EXPECT_EQ(config.n_experts_used, 2u);
  EXPECT_EQ(config.expert_ffn_dim, 96u);
  EXPECT_TRUE(config.normalise_experts);
  EXPECT_TRUE(config.qk_norm);
  const Checkpoint checkpoint = open_safetensors(HANDLOOM_GOLDEN_DIR "/qwen3-moe").value();
  uint64_t n_weights = 0;
  for (const TensorInfo& tensor : checkpoint.tensors()) n_weights += tensor.shape.count();
  EXPECT_EQ(config.weight_count(), n_weights);
}

}  // namespace
}  // namespace handloom::formats
