// The half of gguf_config.h that turns a Config into metadata.
#include "formats/gguf_config.h"
#include "formats/gguf_families.h"
#include "formats/names.h"

#include <algorithm>
#include <array>

namespace handloom::formats {
namespace {

/// Sets keys of one architecture.
struct Setter {
  const GgufFamily& family;
  GgufFields& fields;

  void operator()(std::string_view suffix, GgufField value) const {
    fields[family.key(suffix)] = std::move(value);
  }
};

void set_sizes(const Config& config, const Setter& set) {
  set("vocab_size", config.vocab_size);
  set("context_length", config.max_seq_len);
  set("embedding_length", config.model_dim);
  set("block_count", config.n_layers);
  set("feed_forward_length", config.ffn_dim);
  set("attention.head_count", config.n_heads);
  set("attention.head_count_kv", config.n_kv_heads);
  set("attention.key_length", config.head_dim);
  set("attention.value_length", config.head_dim);
  set("attention.layer_norm_rms_epsilon", config.norm_eps);
  if (config.attention_scale != usual_attention_scale(set.family, config)) {
    set("attention.scale", config.attention_scale);
  }
}

void set_rope(const Config& config, const Setter& set) {
  const Rope& rope = config.rope;
  set("rope.dimension_count", rope.dim);
  set("rope.freq_base", rope.theta);
  if (rope.scaling == RopeScaling::linear) {
    set("rope.scaling.type", std::string("linear"));
    set("rope.scaling.factor", rope.factor);
  }
  if (rope.scaling == RopeScaling::longrope) {
    set("rope.scaling.original_context_length", rope.original_max_seq_len);
    set("rope.scaling.attn_factor", rope.attention_factor);
  }
  if (config.local_rope) set("rope.freq_base_swa", config.local_rope->theta);
}

std::vector<bool> sliding_layers(const Config& config) {
  std::vector<bool> sliding;
  for (const uint32_t window : config.windows) sliding.push_back(window > 0);
  return sliding;
}

bool matches(const std::vector<bool>& sliding, uint32_t pattern) {
  for (uint32_t il = 0; il < sliding.size(); ++il) {
    if (sliding[il] != ((il + 1) % pattern > 0)) return false;
  }
  return true;
}

/// The number that says which layers slide, the architecture's own first, or else a list.
GgufField find_pattern(const std::vector<bool>& sliding, uint32_t usual) {
  if (matches(sliding, usual)) return usual;
  for (uint32_t pattern = 1; pattern <= sliding.size() + 1; ++pattern) {
    if (matches(sliding, pattern)) return pattern;
  }
  return sliding;
}

void set_windows(const Config& config, const Setter& set) {
  if (config.windows.empty()) return;
  const uint32_t window = std::ranges::max(config.windows);
  set("attention.sliding_window", window);
  if (!set.family.is_gemma() || window == 0) return;
  const GgufField pattern = find_pattern(sliding_layers(config), set.family.window_pattern);
  if (pattern != GgufField(set.family.window_pattern)) {
    set("attention.sliding_window_pattern", pattern);
  }
}

void set_extras(const Config& config, const Setter& set) {
  if (set.family.name == "gemma2") set("attn_logit_softcapping", config.attn_softcap);
  if (set.family.is_gemma()) set("final_logit_softcapping", config.final_softcap);
  if (config.n_experts == 0) return;
  set("expert_count", config.n_experts);
  set("expert_used_count", config.n_experts_used);
  set("expert_feed_forward_length", config.expert_ffn_dim);
  set("expert_weights_norm", config.normalise_experts);
}

Result<void> set_ids(const Config& config, GgufFields& fields) {
  constexpr std::array kEndKeys = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                   "tokenizer.ggml.eom_token_id"};
  if (config.eos_ids.size() > kEndKeys.size()) {
    return fail(ErrorCode::unsupported, "gguf: the model has {} end tokens, expected at most {}",
                config.eos_ids.size(), kEndKeys.size());
  }
  for (size_t i = 0; i < config.eos_ids.size(); ++i) fields[kEndKeys[i]] = config.eos_ids[i];
  if (config.bos_id) fields["tokenizer.ggml.bos_token_id"] = *config.bos_id;
  return {};
}

/// What no key says.
Result<void> check_expressible(const Config& config) {
  if (!config.local_rope || config.local_rope->scaling == RopeScaling::none) return {};
  return fail(ErrorCode::unsupported,
              "gguf: the rotation of layers with a window is scaled ({}), expected none, as GGUF "
              "has no key for it",
              to_string(config.local_rope->scaling));
}

}  // namespace

Result<GgufFields> fields_from_config(const Config& config) {
  const GgufFamily* family = gguf_family_of(config.architecture);
  if (family == nullptr) {
    return fail(ErrorCode::unsupported, "gguf: has no architecture for '{}'",
                printable(config.architecture));
  }
  CHECK_OK(check_expressible(config));
  GgufFields fields;
  fields["general.architecture"] = std::string(family->name);
  fields["general.type"] = std::string("model");
  const Setter set{*family, fields};
  set_sizes(config, set);
  set_rope(config, set);
  set_windows(config, set);
  set_extras(config, set);
  CHECK_OK(set_ids(config, fields));
  return fields;
}

std::vector<RopeTensor> rope_tensors(const Config& config) {
  const Rope& rope = config.rope;
  if (rope.scaling == RopeScaling::divisors) return {{std::string(kRopeFreqs), rope.divisors}};
  if (rope.scaling == RopeScaling::longrope) {
    return {{std::string(kRopeFactorsLong), rope.long_factor},
            {std::string(kRopeFactorsShort), rope.short_factor}};
  }
  if (rope.scaling != RopeScaling::llama3) return {};
  const std::vector<float> plain = Rope{.theta = rope.theta, .dim = rope.dim}.inv_freq();
  const std::vector<float> scaled = rope.inv_freq();
  std::vector<float> divisors;
  for (size_t i = 0; i < plain.size(); ++i) {
    divisors.push_back(static_cast<float>(double{plain[i]} / double{scaled[i]}));
  }
  return {{std::string(kRopeFreqs), std::move(divisors)}};
}

}  // namespace handloom::formats
