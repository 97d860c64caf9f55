#include "formats/families.h"

#include "base/flags.h"
#include "formats/fields.h"
#include "formats/limits.h"
#include "formats/names.h"
#include "formats/rope.h"

#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <vector>

namespace handloom::formats {
namespace {

// What transformers assumes of a Mistral or a Gemma without the key. Published files all have it.
constexpr uint32_t kAbsentWindow = 4096;
constexpr float kAbsentQueryScalar = 256;
constexpr float kGemma2ScoreCap = 50, kGemma2LogitCap = 30;
constexpr float kGemma3Theta = 1e6f, kGemma3LocalTheta = 1e4f;
constexpr Range kQueryScalar{.low = 0, .high = 1e6, .low_open = true};

/// A switch of which handloom computes one position only, the one an absent key means.
struct OnlyValue {
  std::string_view key;
  std::string_view value;  // as JSON
};
constexpr std::array kAllOnly = {OnlyValue{"mlp_bias", "false"}, OnlyValue{"pretraining_tp", "1"},
                                 OnlyValue{"is_encoder_decoder", "false"}};
constexpr std::array kUnbiasedSilu = {OnlyValue{"attention_bias", "false"},
                                      OnlyValue{"hidden_act", "\"silu\""},
                                      OnlyValue{"partial_rotary_factor", "1.0"}};
constexpr std::array kNoWindow = {OnlyValue{"sliding_window", "null"}};
constexpr std::array kQwenWindow = {OnlyValue{"use_sliding_window", "false"}};
constexpr std::array kEveryLayerSparse = {OnlyValue{"decoder_sparse_step", "1"},
                                          OnlyValue{"mlp_only_layers", "[]"}};
constexpr std::array kNoScoreCap = {OnlyValue{"attn_logit_softcapping", "null"}};
constexpr std::array kGemma = {OnlyValue{"attention_bias", "false"},
                               OnlyValue{"partial_rotary_factor", "1.0"},
                               OnlyValue{"hidden_act", "\"gelu_pytorch_tanh\""},
                               OnlyValue{"hidden_activation", "\"gelu_pytorch_tanh\""},
                               OnlyValue{"use_bidirectional_attention", "false"}};

Result<void> check_only(const JsonObject& object, std::span<const OnlyValue> only) {
  for (const auto& [key, value] : only) {
    const Json* found = object.find(key);
    if (found == nullptr || *found == Json::parse(value, nullptr, false)) continue;
    return fail(ErrorCode::unsupported, "{}: '{}' is {}, only {} is supported", object.where(), key,
                describe(*found), value);
  }
  return {};
}

/// Quantised weights are read if the file's own types show it, or if it is MLX that made them,
/// whose "quantization" grouped.h reads. Newer MLX writes the same object under both keys.
Result<void> check_quantization(const JsonObject& object) {
  const Json* found = object.find("quantization_config");
  const Json* mlx = object.find("quantization");
  if (found == nullptr || (mlx != nullptr && *mlx == *found)) return {};
  return fail(ErrorCode::unsupported, "{}: 'quantization_config' is {}, only null is supported",
              object.where(), describe(*found));
}

/// Whether the output matrix is the embedding; `absent` is what transformers assumes without the
/// key.
Result<void> parse_tied(const JsonObject& object, bool absent, Config& config) {
  TRY(const auto tied, object.find_bool("tie_word_embeddings"));
  config.tied_embeddings = tied.value_or(absent);
  return {};
}

/// 0 where the key is null, which means no window.
Result<uint32_t> parse_window(const JsonObject& object) {
  TRY(const auto window, find_u32_in(object, "sliding_window", 1, kMaxWindow));
  return window.value_or(object.contains("sliding_window") ? 0 : kAbsentWindow);
}

/// 0 where the key is null, which means no cap; `absent` where there is no such key.
Result<float> parse_softcap(const JsonObject& object, std::string_view key, float absent) {
  TRY(const auto cap, find_float_in(object, key, kSoftcap));
  return cap.value_or(object.contains(key) ? 0.0f : absent);
}

/// Which layers slide, where `layer_types` says so.
Result<std::optional<Flags>> find_sliding(const JsonObject& object, uint32_t n_layers) {
  const Json* types = object.find("layer_types");
  if (types == nullptr) return std::nullopt;
  if (!types->is_array() || types->size() != n_layers) {
    return fail(ErrorCode::bad_format, "{}: 'layer_types' is {}, expected an array of {}",
                object.where(), describe(*types), n_layers);
  }
  Flags sliding;
  for (const Json& type : *types) {
    sliding.push_back(type == "sliding_attention");
    if (sliding.back() || type == "full_attention") continue;
    return fail(ErrorCode::unsupported,
                "{}: 'layer_types' holds {}, only \"full_attention\" and \"sliding_attention\" are "
                "supported",
                object.where(), describe(type));
  }
  return sliding;
}

/// For the families whose layers are all alike: `layer_types` may be there, but say nothing else.
Result<void> check_layer_types(const JsonObject& object, const Config& config) {
  TRY(const auto& sliding, find_sliding(object, config.n_layers));
  for (uint32_t il = 0; sliding && il < config.n_layers; ++il) {
    const bool expected = config.window(il) > 0;
    if ((*sliding)[il] == expected) continue;
    return fail(ErrorCode::unsupported,
                "{}: 'layer_types' holds \"{}\", only \"{}\" is supported beside this "
                "'sliding_window'",
                object.where(), expected ? "full_attention" : "sliding_attention",
                expected ? "sliding_attention" : "full_attention");
  }
  return {};
}

/// The window of each layer where `layer_types` says which layers slide; without it every
/// `pattern`-th layer sees everything.
Result<void> parse_layer_windows(const JsonObject& object, uint32_t pattern, Config& config) {
  TRY(const uint32_t window, parse_window(object));
  TRY(const auto& sliding, find_sliding(object, config.n_layers));
  config.windows.assign(config.n_layers, 0);
  for (uint32_t il = 0; il < config.n_layers; ++il) {
    if (!(sliding ? (*sliding)[il] : (il + 1) % pattern != 0)) continue;
    if (window == 0) {
      return fail(ErrorCode::bad_format,
                  "{}: 'sliding_window' is null, expected a number, as layer {} slides",
                  object.where(), il);
    }
    config.windows[il] = window;
  }
  return {};
}

Result<void> parse_llama(const JsonObject& object, Config& config) {
  CHECK_OK(check_only(object, kUnbiasedSilu));
  CHECK_OK(check_only(object, kNoWindow));
  CHECK_OK(check_layer_types(object, config));
  return parse_tied(object, false, config);
}

Result<void> parse_windowed(const JsonObject& object, uint32_t window, Config& config) {
  CHECK_OK(check_only(object, kUnbiasedSilu));
  config.windows.assign(config.n_layers, window);
  CHECK_OK(check_layer_types(object, config));
  return parse_tied(object, false, config);
}

Result<void> parse_mistral(const JsonObject& object, Config& config) {
  TRY(const uint32_t window, parse_window(object));
  return parse_windowed(object, window, config);
}

Result<void> parse_phi3(const JsonObject& object, Config& config) {
  config.fused_projections = true;
  TRY(const auto window, find_u32_in(object, "sliding_window", 1, kMaxWindow));
  return parse_windowed(object, window.value_or(0), config);
}

Result<void> parse_qwen2(const JsonObject& object, Config& config) {
  CHECK_OK(check_only(object, kUnbiasedSilu));  // its bias has no switch
  CHECK_OK(check_only(object, kQwenWindow));
  CHECK_OK(check_layer_types(object, config));
  config.qkv_bias = true;
  return parse_tied(object, false, config);
}

Result<void> parse_qwen3(const JsonObject& object, Config& config) {
  CHECK_OK(check_only(object, kUnbiasedSilu));
  CHECK_OK(check_only(object, kQwenWindow));
  CHECK_OK(check_layer_types(object, config));
  config.qk_norm = true;
  return parse_tied(object, false, config);
}

Result<void> parse_qwen3_moe(const JsonObject& object, Config& config) {
  CHECK_OK(check_only(object, kEveryLayerSparse));
  // Transformers 5 calls num_experts num_local_experts.
  const std::string_view key = object.has("num_experts") ? "num_experts" : "num_local_experts";
  TRY(config.n_experts, get_u32_in(object, key, 1, kMaxExperts));
  TRY(config.n_experts_used, get_u32_in(object, "num_experts_per_tok", 1, config.n_experts));
  TRY(config.expert_ffn_dim, get_u32_in(object, "moe_intermediate_size", 1, kMaxExpertFfnDim));
  TRY(const auto normalise, object.find_bool("norm_topk_prob"));
  config.normalise_experts = normalise.value_or(false);
  return parse_qwen3(object, config);
}

Result<void> parse_gemma(const JsonObject& object, uint32_t pattern, Config& config) {
  CHECK_OK(check_only(object, kGemma));
  config.gemma_norms = true;
  config.activation = Activation::gelu_tanh;
  config.embedding_scale = std::sqrt(static_cast<float>(config.model_dim));
  TRY(const auto scalar, find_float_in(object, "query_pre_attn_scalar", kQueryScalar));
  config.attention_scale = 1.0f / std::sqrt(scalar.value_or(kAbsentQueryScalar));
  CHECK_OK(parse_layer_windows(object, pattern, config));
  return parse_tied(object, true, config);
}

Result<void> parse_gemma2(const JsonObject& object, Config& config) {
  TRY(config.attn_softcap, parse_softcap(object, "attn_logit_softcapping", kGemma2ScoreCap));
  TRY(config.final_softcap, parse_softcap(object, "final_logit_softcapping", kGemma2LogitCap));
  return parse_gemma(object, 2, config);
}

/// The rotation of the layers that slide: a base beside the global one, or nested in the new
/// dialect.
Result<Rope> parse_local_rope(const JsonObject& object, uint32_t dim) {
  TRY(const auto theta, find_float_in(object, "rope_local_base_freq", kTheta));
  if (!object.has("rope_parameters")) {
    return Rope{.theta = theta.value_or(kGemma3LocalTheta), .dim = dim};
  }
  TRY(const JsonObject& both, object.get_object("rope_parameters"));
  TRY(const JsonObject& sliding, both.get_object("sliding_attention"));
  TRY(Rope local, parse_rope_parameters(object, sliding, dim));
  if (!theta || *theta == local.theta) return local;
  return fail(ErrorCode::bad_format,
              "{}: 'rope_theta' is {}, expected rope_local_base_freq ({}), which stands there, too",
              sliding.where(), local.theta, *theta);
}

Result<void> parse_gemma3(const JsonObject& object, Config& config) {
  CHECK_OK(check_only(object, kNoScoreCap));  // transformers would ignore it
  TRY(config.final_softcap, parse_softcap(object, "final_logit_softcapping", 0));
  TRY(const auto pattern, find_u32_in(object, "sliding_window_pattern", 1, 1000));
  CHECK_OK(parse_gemma(object, pattern.value_or(6), config));
  config.qk_norm = true;
  if (!object.has("rope_theta") && !object.has("rope_parameters")) config.rope.theta = kGemma3Theta;
  TRY(config.local_rope, parse_local_rope(object, config.head_dim));
  return {};
}

constexpr std::array kFamilies = {
    Family{"llama", "LlamaForCausalLM", parse_llama},
    Family{"mistral", "MistralForCausalLM", parse_mistral},
    Family{"phi3", "Phi3ForCausalLM", parse_phi3},
    Family{"qwen2", "Qwen2ForCausalLM", parse_qwen2},
    Family{"qwen3", "Qwen3ForCausalLM", parse_qwen3},
    Family{"qwen3_moe", "Qwen3MoeForCausalLM", parse_qwen3_moe},
    Family{"gemma2", "Gemma2ForCausalLM", parse_gemma2},
    Family{"gemma3_text", "Gemma3ForCausalLM", parse_gemma3},
};

Result<void> check_class(const JsonObject& object, const Family& family) {
  const Json* classes = object.find("architectures");
  if (classes == nullptr) return {};
  const bool single = classes->is_array() && classes->size() == 1;
  if (single && (*classes)[0] == family.class_name) return {};
  return fail(ErrorCode::unsupported, "{}: 'architectures' is {}, expected [\"{}\"]",
              object.where(),
              single ? fmt::format("[{}]", describe((*classes)[0])) : describe(*classes),
              family.class_name);
}

}  // namespace

Result<const Family*> find_family(const JsonObject& object) {
  TRY(const std::string& name, object.get_string("model_type"));
  std::string known;
  for (const Family& family : kFamilies) {
    if (family.model_type == name) {
      CHECK_OK(check_only(object, kAllOnly));
      CHECK_OK(check_quantization(object));
      CHECK_OK(check_class(object, family));
      return &family;
    }
    known += known.empty() ? "" : ", ";
    known += family.model_type;
  }
  return fail(ErrorCode::unsupported,
              "{}: 'model_type' is '{}', which is not supported (supported: {})", object.where(),
              printable(name), known);
}

}  // namespace handloom::formats
