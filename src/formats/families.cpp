#include "formats/families.h"

#include "formats/fields.h"
#include "formats/names.h"

#include <array>
#include <cmath>
#include <span>

namespace handloom::formats {
namespace {

constexpr uint32_t kMaxWindow = 1u << 24;
constexpr Range kSoftcap{.low = 0, .high = 1e6, .low_open = true};
constexpr Range kTheta{.low = 1, .high = 1e12, .low_open = true};
constexpr Range kQueryScalar{.low = 0, .high = 1e6, .low_open = true};

/// A switch of which handloom computes one position only, the one an absent key means.
struct OnlyValue {
  std::string_view key;
  std::string_view value;  // as JSON
};
constexpr std::array kAllOnly = {OnlyValue{"mlp_bias", "false"}, OnlyValue{"pretraining_tp", "1"},
                                 OnlyValue{"quantization_config", "null"},
                                 OnlyValue{"is_encoder_decoder", "false"}};
constexpr std::array kUnbiasedSilu = {OnlyValue{"attention_bias", "false"},
                                      OnlyValue{"hidden_act", "\"silu\""},
                                      OnlyValue{"partial_rotary_factor", "1.0"}};
constexpr std::array kNoWindow = {OnlyValue{"sliding_window", "null"}};
constexpr std::array kQwenWindow = {OnlyValue{"use_sliding_window", "false"}};
constexpr std::array kGemma = {OnlyValue{"attention_bias", "false"},
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

/// Whether the output matrix is the embedding; `absent` is what transformers assumes without the
/// key.
Result<void> parse_tied(const JsonObject& object, bool absent, Config& config) {
  TRY(const auto tied, object.find_bool("tie_word_embeddings"));
  config.tied_embeddings = tied.value_or(absent);
  return {};
}

Result<uint32_t> parse_window(const JsonObject& object) {
  TRY(const auto window, find_u32_in(object, "sliding_window", 1, kMaxWindow));
  return window.value_or(0);
}

/// The window of each layer where `layer_types` says which layers slide; without it every
/// `pattern`-th layer sees everything.
Result<void> parse_layer_windows(const JsonObject& object, uint32_t pattern, Config& config) {
  TRY(const uint32_t window, parse_window(object));
  config.windows.assign(config.n_layers, 0);
  const Json* types = object.find("layer_types");
  if (types == nullptr) {
    for (uint32_t il = 0; il < config.n_layers; ++il) {
      if ((il + 1) % pattern != 0) config.windows[il] = window;
    }
    return {};
  }
  if (!types->is_array() || types->size() != config.n_layers) {
    return fail(ErrorCode::bad_format, "{}: 'layer_types' is {}, expected an array of {}",
                object.where(), describe(*types), config.n_layers);
  }
  for (uint32_t il = 0; il < config.n_layers; ++il) {
    const Json& type = (*types)[il];
    if (type == "sliding_attention") {
      config.windows[il] = window;
    } else if (type != "full_attention") {
      return fail(ErrorCode::unsupported,
                  "{}: 'layer_types' holds {}, only \"full_attention\" and \"sliding_attention\" "
                  "are supported",
                  object.where(), describe(type));
    }
  }
  return {};
}

Result<void> parse_llama(const JsonObject& object, Config& config) {
  CHECK_OK(check_only(object, kUnbiasedSilu));
  CHECK_OK(check_only(object, kNoWindow));
  return parse_tied(object, false, config);
}

Result<void> parse_mistral(const JsonObject& object, Config& config) {
  CHECK_OK(check_only(object, kUnbiasedSilu));
  TRY(const uint32_t window, parse_window(object));
  config.windows.assign(config.n_layers, window);
  return parse_tied(object, false, config);
}

Result<void> parse_phi3(const JsonObject& object, Config& config) {
  config.fused_projections = true;
  return parse_mistral(object, config);
}

Result<void> parse_qwen2(const JsonObject& object, Config& config) {
  CHECK_OK(check_only(object, kUnbiasedSilu));  // its bias has no switch
  CHECK_OK(check_only(object, kQwenWindow));
  config.qkv_bias = true;
  return parse_tied(object, false, config);
}

Result<void> parse_qwen3(const JsonObject& object, Config& config) {
  CHECK_OK(check_only(object, kUnbiasedSilu));
  CHECK_OK(check_only(object, kQwenWindow));
  config.qk_norm = true;
  return parse_tied(object, false, config);
}

Result<void> parse_gemma(const JsonObject& object, uint32_t pattern, Config& config) {
  CHECK_OK(check_only(object, kGemma));
  config.gemma_norms = true;
  config.activation = Activation::gelu_tanh;
  config.embedding_scale = std::sqrt(static_cast<float>(config.model_dim));
  TRY(const auto scalar, find_float_in(object, "query_pre_attn_scalar", kQueryScalar));
  if (scalar) config.attention_scale = 1.0f / std::sqrt(*scalar);
  TRY(const auto attn_cap, find_float_in(object, "attn_logit_softcapping", kSoftcap));
  TRY(const auto final_cap, find_float_in(object, "final_logit_softcapping", kSoftcap));
  config.attn_softcap = attn_cap.value_or(0.0f);
  config.final_softcap = final_cap.value_or(0.0f);
  CHECK_OK(parse_layer_windows(object, pattern, config));
  return parse_tied(object, true, config);
}

Result<void> parse_gemma2(const JsonObject& object, Config& config) {
  return parse_gemma(object, 2, config);
}

Result<void> parse_gemma3(const JsonObject& object, Config& config) {
  TRY(const auto pattern, find_u32_in(object, "sliding_window_pattern", 1, 1000));
  CHECK_OK(parse_gemma(object, pattern.value_or(6), config));
  config.qk_norm = true;
  // parse_rope has read the global base; the local one stands beside it, or nested in the new
  // dialect.
  Rope local{.theta = 10000.0f, .dim = config.head_dim};
  if (object.has("rope_parameters")) {
    TRY(const JsonObject both, object.get_object("rope_parameters"));
    TRY(const JsonObject sliding, both.get_object("sliding_attention"));
    TRY(local.theta, get_float_in(sliding, "rope_theta", kTheta));
  } else {
    TRY(const auto theta, find_float_in(object, "rope_local_base_freq", kTheta));
    local.theta = theta.value_or(local.theta);
  }
  config.local_rope = local;
  return {};
}

constexpr std::array kFamilies = {
    Family{"llama", "LlamaForCausalLM", parse_llama},
    Family{"mistral", "MistralForCausalLM", parse_mistral},
    Family{"phi3", "Phi3ForCausalLM", parse_phi3},
    Family{"qwen2", "Qwen2ForCausalLM", parse_qwen2},
    Family{"qwen3", "Qwen3ForCausalLM", parse_qwen3},
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
  TRY(const std::string name, object.get_string("model_type"));
  std::string known;
  for (const Family& family : kFamilies) {
    if (family.model_type == name) {
      CHECK_OK(check_only(object, kAllOnly));
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
