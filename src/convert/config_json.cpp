#include "convert/config_json.h"

#include "base/json.h"
#include "formats/names.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace handloom::convert {
namespace {

using formats::Config;
using formats::Rope;
using formats::RopeScaling;

constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kClasses = {{
    {"llama", "LlamaForCausalLM"},
    {"mistral", "MistralForCausalLM"},
    {"phi3", "Phi3ForCausalLM"},
    {"qwen2", "Qwen2ForCausalLM"},
    {"qwen3", "Qwen3ForCausalLM"},
    {"qwen3_moe", "Qwen3MoeForCausalLM"},
    {"gemma2", "Gemma2ForCausalLM"},
    {"gemma3_text", "Gemma3ForCausalLM"},
}};

/// The shortest decimal that is this f32: 1e-05 and not 9.99999974737875e-06.
double decimal(float value) { return std::strtod(fmt::format("{}", value).c_str(), nullptr); }

Json decimals(const std::vector<float>& values) {
  Json list = Json::array();
  for (const float value : values) list.push_back(decimal(value));
  return list;
}

Json or_null(float cap) { return cap == 0 ? Json(nullptr) : Json(decimal(cap)); }

void set_sizes(const Config& c, Json& out) {
  out["hidden_size"] = c.model_dim;
  out["intermediate_size"] = c.ffn_dim;
  out["num_hidden_layers"] = c.n_layers;
  out["num_attention_heads"] = c.n_heads;
  out["num_key_value_heads"] = c.n_kv_heads;
  out["head_dim"] = c.head_dim;
  out["vocab_size"] = c.vocab_size;
  out["max_position_embeddings"] = c.max_seq_len;
  out["rms_norm_eps"] = decimal(c.norm_eps);
  out["tie_word_embeddings"] = c.tied_embeddings;
  out["torch_dtype"] = "float16";
  out["bos_token_id"] = c.bos_id ? Json(*c.bos_id) : Json(nullptr);
  out["eos_token_id"] = c.eos_ids.size() == 1 ? Json(c.eos_ids.front()) : Json(c.eos_ids);
  out[c.gemma_norms ? "hidden_activation" : "hidden_act"] =
      c.activation == formats::Activation::silu ? "silu" : "gelu_pytorch_tanh";
}

Result<Json> rope_scaling(const Rope& rope) {
  Json out = Json::object();
  out["rope_type"] = to_string(rope.scaling);
  switch (rope.scaling) {
    case RopeScaling::none: return Json(nullptr);
    case RopeScaling::linear: out["factor"] = decimal(rope.factor); return out;
    case RopeScaling::llama3:
      out["factor"] = decimal(rope.factor);
      out["low_freq_factor"] = decimal(rope.low_freq_factor);
      out["high_freq_factor"] = decimal(rope.high_freq_factor);
      out["original_max_position_embeddings"] = rope.original_max_seq_len;
      return out;
    case RopeScaling::longrope:
      out["short_factor"] = decimals(rope.short_factor);
      out["long_factor"] = decimals(rope.long_factor);
      out["attention_factor"] = decimal(rope.attention_factor);
      return out;
    case RopeScaling::divisors: break;
  }
  return fail(ErrorCode::unsupported,
              "config.json: has no key for a GGUF file's divisors of frequencies "
              "(rope_freqs.weight), take the model's Hugging Face folder");
}

Result<void> set_rope(const Config& c, Json& out) {
  if (c.local_rope) {
    TRY(Json full, rope_scaling(c.rope));
    if (full.is_null()) full = {{"rope_type", "default"}};
    full["rope_theta"] = decimal(c.rope.theta);
    TRY(Json sliding, rope_scaling(*c.local_rope));
    if (sliding.is_null()) sliding = {{"rope_type", "default"}};
    sliding["rope_theta"] = decimal(c.local_rope->theta);
    out["rope_parameters"] = {{"full_attention", full}, {"sliding_attention", sliding}};
    return {};
  }
  out["rope_theta"] = decimal(c.rope.theta);
  TRY(out["rope_scaling"], rope_scaling(c.rope));
  if (c.rope.scaling == RopeScaling::longrope) {
    out["original_max_position_embeddings"] = c.rope.original_max_seq_len;
  }
  return {};
}

void set_windows(const Config& c, Json& out) {
  if (c.windows.empty()) return;
  const uint32_t window = std::ranges::max(c.windows);
  out["sliding_window"] = window == 0 ? Json(nullptr) : Json(window);
  if (!c.gemma_norms) return;
  Json types = Json::array();
  for (const uint32_t keys : c.windows) {
    types.push_back(keys > 0 ? "sliding_attention" : "full_attention");
  }
  out["layer_types"] = std::move(types);
}

Result<void> set_attention_scale(const Config& c, Json& out) {
  const float usual = 1.0f / std::sqrt(static_cast<float>(c.head_dim));
  if (c.gemma_norms) {
    const double scalar = 1.0 / (double{c.attention_scale} * c.attention_scale);
    out["query_pre_attn_scalar"] = std::round(scalar);
    const float back = 1.0f / std::sqrt(static_cast<float>(std::round(scalar)));
    if (back == c.attention_scale) return {};
  } else if (c.attention_scale == usual) {
    return {};
  }
  return fail(ErrorCode::unsupported, "config.json: has no key for an attention scale of {}",
              c.attention_scale);
}

void set_extras(const Config& c, Json& out) {
  if (c.architecture == "gemma2") out["attn_logit_softcapping"] = or_null(c.attn_softcap);
  if (c.gemma_norms) out["final_logit_softcapping"] = or_null(c.final_softcap);
  if (c.n_experts == 0) return;
  out["num_experts"] = c.n_experts;
  out["num_experts_per_tok"] = c.n_experts_used;
  out["moe_intermediate_size"] = c.expert_ffn_dim;
  out["norm_topk_prob"] = c.normalise_experts;
  out["decoder_sparse_step"] = 1;
  out["mlp_only_layers"] = Json::array();
}

}  // namespace

Result<std::string> config_to_json(const Config& config) {
  const auto known = std::ranges::find(kClasses, config.architecture,
                                       &std::pair<std::string_view, std::string_view>::first);
  if (known == kClasses.end()) {
    return fail(ErrorCode::unsupported, "config.json: has no model_type for '{}'",
                formats::printable(config.architecture));
  }
  Json out = Json::object();
  out["model_type"] = known->first;
  out["architectures"] = Json::array({known->second});
  set_sizes(config, out);
  CHECK_OK(set_rope(config, out));
  set_windows(config, out);
  CHECK_OK(set_attention_scale(config, out));
  set_extras(config, out);
  return out.dump(2) + "\n";
}

}  // namespace handloom::convert
