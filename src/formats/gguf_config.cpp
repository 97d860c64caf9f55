#include "formats/gguf_config.h"

#include "formats/gguf_families.h"
#include "formats/limits.h"
#include "formats/names.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace handloom::formats {
namespace {

constexpr double kAbsentTheta = 10000;
constexpr uint32_t kAbsentGemma2Window = 4096;
constexpr float kAbsentGemma2ScoreCap = 50, kAbsentGemma2LogitCap = 30;
constexpr float kAbsentLocalTheta = 10000;
constexpr Range kSoftcapOrNone{.low = 0, .high = 1e6};
constexpr Range kAttentionScale{.low = 0, .high = 1e3, .low_open = true};
constexpr Range kLinearFactor{.low = 0, .high = 1e6};

/// A key of which handloom computes one meaning only, the one that an absent key has, too.
struct OnlyValue {
  std::string_view suffix;
  std::string_view value;       // as describe() renders it
  std::string_view also = "0";  // how some files say the same
};
constexpr std::array kOnly = {
    OnlyValue{"attention.causal", "true", "true"},
    OnlyValue{"attention.clamp_kqv", "0"},
    OnlyValue{"attention.key_length_mla", "0"},
    OnlyValue{"attention.kv_lora_rank", "0"},
    OnlyValue{"attention.max_alibi_bias", "0"},
    OnlyValue{"attention.output_scale", "1"},
    OnlyValue{"attention.q_lora_rank", "0"},
    OnlyValue{"attention.shared_kv_layers", "0"},
    OnlyValue{"attention.temperature_length", "0"},
    OnlyValue{"attention.temperature_scale", "0"},
    OnlyValue{"embedding_length_per_layer_input", "0"},
    OnlyValue{"embedding_scale", "1"},
    OnlyValue{"expert_gating_func", "1"},
    OnlyValue{"expert_group_count", "1"},
    OnlyValue{"expert_group_used_count", "1"},
    OnlyValue{"expert_shared_count", "0"},
    OnlyValue{"expert_shared_feed_forward_length", "0"},
    OnlyValue{"expert_weights_scale", "1"},
    OnlyValue{"full_attention_interval", "1"},
    OnlyValue{"interleave_moe_layer_step", "1"},
    OnlyValue{"leading_dense_block_count", "0"},
    OnlyValue{"logit_scale", "1"},
    OnlyValue{"moe_every_n_layers", "1"},
    OnlyValue{"nextn_predict_layers", "0"},
    OnlyValue{"pooling_type", "0"},
    OnlyValue{"residual_scale", "1"},
    OnlyValue{"rope.dimension_sections", "absent", "absent"},
    OnlyValue{"rope.scaling.yarn_attn_factor", "1"},
    OnlyValue{"rope.scaling.yarn_ext_factor", "0"},
    OnlyValue{"router_logit_softcapping", "0"},
    OnlyValue{"swin_norm", "false", "false"},
    OnlyValue{"use_parallel_residual", "false", "false"},
};
constexpr std::array kOneExpert = {OnlyValue{"expert_count", "0"}};
constexpr std::array kNoWindow = {OnlyValue{"attention.sliding_window", "0"}};
constexpr std::array kNoPattern = {
    OnlyValue{"attention.sliding_window_pattern", "absent", "absent"}};
constexpr std::array kNoScoreCap = {OnlyValue{"attn_logit_softcapping", "0"}};
constexpr std::array kNoLogitCap = {OnlyValue{"final_logit_softcapping", "0"}};
constexpr std::array kNoAttentionFactor = {OnlyValue{"rope.scaling.attn_factor", "1"}};

/// The keys of one architecture, with their ranges.
class Fields {
 public:
  Fields(const GgufFamily& family, const Gguf& gguf) : family_(family), gguf_(gguf) {}

  const GgufFamily& family() const { return family_; }
  const Checkpoint& checkpoint() const { return gguf_.checkpoint(); }
  const GgufMetadata& metadata() const { return gguf_.metadata(); }
  const std::string& where() const { return gguf_.where(); }
  std::string key(std::string_view suffix) const { return family_.key(suffix); }
  const GgufValue* find(std::string_view suffix) const { return metadata().find(key(suffix)); }

  Result<std::optional<uint32_t>> find_u32(std::string_view suffix, uint32_t low,
                                           uint32_t high) const {
    TRY(const auto value, metadata().find_u32(key(suffix)));
    if (!value || (*value >= low && *value <= high)) return value;
    return out_of_range(suffix, *value, low, high);
  }

  Result<uint32_t> get_u32(std::string_view suffix, uint32_t low, uint32_t high) const {
    TRY(const uint32_t value, metadata().get_u32(key(suffix)));
    if (value >= low && value <= high) return value;
    return out_of_range(suffix, value, low, high);
  }

  Result<std::optional<float>> find_float(std::string_view suffix, const Range& range) const {
    TRY(const auto value, metadata().find_number(key(suffix)));
    if (!value) return std::optional<float>();
    const auto narrow = static_cast<float>(*value);
    if (range.holds(*value) && range.holds(narrow)) return std::optional(narrow);
    return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected {}", where(), key(suffix), *value,
                to_string(range));
  }

  /// One number, or one a layer; handloom computes layers that are alike.
  Result<std::optional<uint32_t>> find_per_layer(std::string_view suffix, uint32_t n_layers,
                                                 uint32_t low, uint32_t high) const {
    const GgufValue* value = find(suffix);
    if (value == nullptr || !value->is_array) return find_u32(suffix, low, high);
    TRY(const std::vector<uint32_t>& each, metadata().find_u32s(key(suffix)));
    if (each.size() != n_layers) {
      return fail(ErrorCode::bad_format,
                  "{}: '{}' has {} numbers, expected one for each of {} layers", where(),
                  key(suffix), each.size(), n_layers);
    }
    for (const uint32_t number : each) {
      if (number == each.front()) continue;
      return fail(ErrorCode::unsupported,
                  "{}: '{}' holds {} and {}, only layers that are alike are supported", where(),
                  key(suffix), each.front(), number);
    }
    if (each.front() >= low && each.front() <= high) return std::optional(each.front());
    return out_of_range(suffix, each.front(), low, high);
  }

  Result<uint32_t> get_per_layer(std::string_view suffix, uint32_t n_layers, uint32_t low,
                                 uint32_t high) const {
    TRY(const auto value, find_per_layer(suffix, n_layers, low, high));
    if (value) return *value;
    return fail(ErrorCode::bad_format, "{}: '{}' is missing, expected {} to {}", where(),
                key(suffix), low, high);
  }

  Result<void> check_only(std::span<const OnlyValue> only) const {
    for (const auto& [suffix, value, also] : only) {
      const GgufValue* found = find(suffix);
      if (found == nullptr) continue;
      const std::string text = describe(*found);
      if (text == value || text == also) continue;
      return fail(ErrorCode::unsupported, "{}: '{}' is {}, only {} is supported", where(),
                  key(suffix), text, value);
    }
    return {};
  }

 private:
  std::unexpected<Error> out_of_range(std::string_view suffix, uint32_t value, uint32_t low,
                                      uint32_t high) const {
    return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected {} to {}", where(), key(suffix),
                value, low, high);
  }

  const GgufFamily& family_;
  const Gguf& gguf_;
};

/// Widths that other models may have apart from each other, and ours have not.
Result<void> check_head_widths(const Fields& fields, uint32_t head_dim) {
  for (const std::string_view suffix :
       {"attention.value_length", "rope.dimension_count", "attention.key_length_swa",
        "attention.value_length_swa", "rope.dimension_count_swa"}) {
    TRY(const auto width, fields.metadata().find_u32(fields.key(suffix)));
    if (!width || *width == head_dim) continue;
    return fail(ErrorCode::unsupported,
                "{}: '{}' is {}, only the width of a head ({}) is supported", fields.where(),
                fields.key(suffix), *width, head_dim);
  }
  return {};
}

Result<uint32_t> parse_head_dim(const Fields& fields, const Config& config) {
  TRY(const auto given, fields.find_u32("attention.key_length", 2, kMaxHeadDim));
  if (!given && config.model_dim % config.n_heads != 0) {
    return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected a multiple of {} ({})",
                fields.where(), fields.key("embedding_length"), config.model_dim,
                fields.key("attention.head_count"), config.n_heads);
  }
  const uint32_t head_dim = given.value_or(config.model_dim / config.n_heads);
  if (head_dim % 2 == 0 && head_dim > 0 && head_dim <= kMaxHeadDim) return head_dim;
  return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected an even number up to {}",
              fields.where(), fields.key("attention.key_length"), head_dim, kMaxHeadDim);
}

/// The rows of the embedding. A list of tokens, if there is one, must be as long.
Result<uint32_t> parse_vocab_size(const Fields& fields, uint32_t model_dim) {
  TRY(const TensorInfo* embedding, fields.checkpoint().get("token_embd.weight"));
  const Shape& shape = embedding->shape;
  if (shape.rank() != 2 || shape.dim(1) != model_dim || shape.dim(0) == 0 ||
      shape.dim(0) > kMaxVocabSize) {
    return fail(ErrorCode::bad_format,
                "{}: tensor 'token_embd.weight' has shape {}, expected 1 to {} rows of {} ('{}')",
                fields.where(), to_string(shape), kMaxVocabSize, model_dim,
                fields.key("embedding_length"));
  }
  const GgufValue* tokens = fields.metadata().find("tokenizer.ggml.tokens");
  if (tokens == nullptr || tokens->count == shape.dim(0)) return shape.dim(0);
  return fail(ErrorCode::bad_format,
              "{}: 'tokenizer.ggml.tokens' lists {} tokens, expected {}, the rows of "
              "token_embd.weight",
              fields.where(), tokens->count, shape.dim(0));
}

Result<void> parse_sizes(const Fields& fields, Config& config) {
  TRY(config.n_layers, fields.get_u32("block_count", 1, kMaxLayers));
  TRY(config.model_dim, fields.get_u32("embedding_length", 1, kMaxModelDim));
  TRY(config.max_seq_len, fields.get_u32("context_length", 1, kMaxSeqLen));
  TRY(config.ffn_dim, fields.get_per_layer("feed_forward_length", config.n_layers, 1, kMaxFfnDim));
  TRY(config.n_heads, fields.get_per_layer("attention.head_count", config.n_layers, 1, kMaxHeads));
  TRY(const auto n_kv_heads,
      fields.find_per_layer("attention.head_count_kv", config.n_layers, 1, kMaxHeads));
  config.n_kv_heads = n_kv_heads.value_or(config.n_heads);
  if (config.n_heads % config.n_kv_heads != 0) {
    return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected a divisor of {} ({})",
                fields.where(), fields.key("attention.head_count_kv"), config.n_kv_heads,
                fields.key("attention.head_count"), config.n_heads);
  }
  TRY(config.head_dim, parse_head_dim(fields, config));
  CHECK_OK(check_head_widths(fields, config.head_dim));
  TRY(config.vocab_size, parse_vocab_size(fields, config.model_dim));
  return {};
}

/// The divisors of frequencies that a tensor holds; empty if it is absent.
Result<std::vector<float>> find_divisors(const Fields& fields, std::string_view name,
                                         uint32_t rope_dim) {
  const TensorInfo* tensor = fields.checkpoint().find(name);
  if (tensor == nullptr) return std::vector<float>();
  if (tensor->dtype != DType::f32 || tensor->shape != Shape{rope_dim / 2}) {
    return fail(ErrorCode::bad_format, "{}: tensor '{}' is {} {}, expected f32 [{}]",
                fields.where(), name, to_string(tensor->dtype), to_string(tensor->shape),
                rope_dim / 2);
  }
  TRY(std::vector<float> divisors, to_f32(*tensor));
  for (const float divisor : divisors) {
    if (kRopeDivisor.holds(divisor)) continue;
    return fail(ErrorCode::bad_format, "{}: tensor '{}' holds {}, expected {}", fields.where(),
                name, divisor, to_string(kRopeDivisor));
  }
  return divisors;
}

/// As transformers' _compute_longrope_parameters has it, the context's growth gives the attention
/// factor where the file has none.
Result<void> parse_longrope(const Fields& fields, uint32_t max_seq_len, Rope& rope) {
  rope.scaling = RopeScaling::longrope;
  TRY(rope.original_max_seq_len,
      fields.get_u32("rope.scaling.original_context_length", 1, kMaxSeqLen));
  const double growth = static_cast<double>(max_seq_len) / rope.original_max_seq_len;
  rope.factor = static_cast<float>(growth);
  TRY(const auto given, fields.find_float("rope.scaling.attn_factor", kAttentionFactor));
  if (given) {
    rope.attention_factor = *given;
  } else if (growth > 1 && rope.original_max_seq_len > 1) {
    rope.attention_factor =
        static_cast<float>(std::sqrt(1 + std::log(growth) / std::log(rope.original_max_seq_len)));
  }
  return {};
}

/// rope.scaling.factor, or the key that came before it. Without a type it means linear scaling.
Result<void> parse_linear(const Fields& fields, std::string_view type, Rope& rope) {
  TRY(auto factor, fields.find_float("rope.scaling.factor", kLinearFactor));
  if (!factor) {
    TRY(factor, fields.find_float("rope.scale_linear", kLinearFactor));
  }
  const bool stated = factor && *factor != 0 && (type == "linear" || *factor != 1);
  if (type == "none" || !stated) return {};
  if (*factor < kRopeFactor.low) {
    return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected {}", fields.where(),
                fields.key("rope.scaling.factor"), *factor, to_string(kRopeFactor));
  }
  rope.scaling = RopeScaling::linear;
  rope.factor = *factor;
  return {};
}

Result<std::string> parse_scaling_type(const Fields& fields) {
  TRY(const auto& given, fields.metadata().find_string(fields.key("rope.scaling.type")));
  const std::string type = given.value_or("");
  for (const std::string_view known : {"", "none", "linear", "longrope"}) {
    if (type == known) return type;
  }
  return fail(ErrorCode::unsupported,
              "{}: '{}' is '{}', which is not supported (supported: none, linear, longrope)",
              fields.where(), fields.key("rope.scaling.type"), printable(type));
}

Result<Rope> parse_rope(const Fields& fields, const Config& config) {
  Rope rope{.dim = config.head_dim};
  TRY(const auto theta, fields.find_float("rope.freq_base", kTheta));
  rope.theta = theta.value_or(kAbsentTheta);
  TRY(const std::string& type, parse_scaling_type(fields));
  TRY(rope.divisors, find_divisors(fields, kRopeFreqs, rope.dim));
  TRY(rope.long_factor, find_divisors(fields, kRopeFactorsLong, rope.dim));
  TRY(rope.short_factor, find_divisors(fields, kRopeFactorsShort, rope.dim));
  const bool has_long = !rope.long_factor.empty(), has_short = !rope.short_factor.empty();
  if (has_long != has_short || (type == "longrope" && !has_long)) {
    return fail(ErrorCode::bad_format, "{}: tensor '{}' is missing, expected [{}] for longrope",
                fields.where(), has_long ? kRopeFactorsShort : kRopeFactorsLong, rope.dim / 2);
  }
  if (has_long) {
    CHECK_OK(parse_longrope(fields, config.max_seq_len, rope));
    return rope;
  }
  CHECK_OK(fields.check_only(kNoAttentionFactor));
  CHECK_OK(parse_linear(fields, type, rope));
  if (rope.divisors.empty()) return rope;
  if (rope.scaling != RopeScaling::none) {
    return fail(ErrorCode::unsupported,
                "{}: tensor '{}' is there beside '{}', expected one of them", fields.where(),
                kRopeFreqs, fields.key("rope.scaling.factor"));
  }
  rope.scaling = RopeScaling::divisors;
  return rope;
}

/// What ends a text: the end of it, of a turn, of a message.
Result<void> parse_special_ids(const Fields& fields, Config& config) {
  const auto find_id = [&](std::string_view key) -> Result<std::optional<uint32_t>> {
    TRY(const auto id, fields.metadata().find_u32(key));
    if (!id || *id < config.vocab_size) return id;
    return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected less than the {} tokens there are",
                fields.where(), key, *id, config.vocab_size);
  };
  TRY(config.bos_id, find_id("tokenizer.ggml.bos_token_id"));
  for (const char* name : {"eos", "eot", "eom"}) {
    TRY(const auto id, find_id(fmt::format("tokenizer.ggml.{}_token_id", name)));
    if (id && std::ranges::find(config.eos_ids, *id) == config.eos_ids.end()) {
      config.eos_ids.push_back(*id);
    }
  }
  return {};
}

/// Which layers slide: a number says that every so manieth does not, 0 that all do; a list says it
/// of each.
Result<Flags> parse_sliding(const Fields& fields, uint32_t n_layers) {
  constexpr std::string_view kPattern = "attention.sliding_window_pattern";
  const GgufValue* value = fields.find(kPattern);
  if (value == nullptr || !value->is_array) {
    TRY(const auto given, fields.find_u32(kPattern, 0, kMaxLayers));
    const uint32_t pattern = given.value_or(fields.family().window_pattern);
    Flags sliding(n_layers);
    for (uint32_t il = 0; il < n_layers; ++il) sliding[il] = pattern == 0 || (il + 1) % pattern > 0;
    return sliding;
  }
  TRY(Flags sliding, fields.metadata().find_bools(fields.key(kPattern)));
  if (sliding.size() == n_layers) return sliding;
  return fail(ErrorCode::bad_format, "{}: '{}' has {} values, expected one for each of {} layers",
              fields.where(), fields.key(kPattern), sliding.size(), n_layers);
}

/// The window of each layer. Where nothing is said of it, Llamas have none and stay Llamas.
Result<void> parse_windows(const Fields& fields, Config& config) {
  const std::string_view name = fields.family().name;
  if (name.starts_with("qwen")) return fields.check_only(kNoWindow);
  if (!fields.family().is_gemma()) CHECK_OK(fields.check_only(kNoPattern));
  TRY(const auto given, fields.find_u32("attention.sliding_window", 0, kMaxWindow));
  if (name == "llama" && !given) return {};
  if (name == "llama") config.architecture = "mistral";
  const uint32_t window = given.value_or(name == "gemma2" ? kAbsentGemma2Window : 0);
  config.windows.assign(config.n_layers, window);
  if (!fields.family().is_gemma()) return {};
  TRY(const Flags& sliding, parse_sliding(fields, config.n_layers));
  for (uint32_t il = 0; il < config.n_layers; ++il) {
    if (!sliding[il]) config.windows[il] = 0;
  }
  return {};
}

Result<void> parse_softcaps(const Fields& fields, Config& config) {
  const bool is_gemma2 = fields.family().name == "gemma2";
  if (!is_gemma2) CHECK_OK(fields.check_only(kNoScoreCap));
  if (!fields.family().is_gemma()) return fields.check_only(kNoLogitCap);
  if (is_gemma2) {
    TRY(const auto score_cap, fields.find_float("attn_logit_softcapping", kSoftcapOrNone));
    config.attn_softcap = score_cap.value_or(kAbsentGemma2ScoreCap);
  }
  TRY(const auto logit_cap, fields.find_float("final_logit_softcapping", kSoftcapOrNone));
  config.final_softcap = logit_cap.value_or(is_gemma2 ? kAbsentGemma2LogitCap : 0);
  return {};
}

Result<void> parse_experts(const Fields& fields, Config& config) {
  if (config.architecture != "qwen3_moe") return fields.check_only(kOneExpert);
  TRY(config.n_experts, fields.get_u32("expert_count", 1, kMaxExperts));
  TRY(config.n_experts_used, fields.get_u32("expert_used_count", 1, config.n_experts));
  TRY(config.expert_ffn_dim, fields.get_u32("expert_feed_forward_length", 1, kMaxExpertFfnDim));
  const std::string key = fields.key("expert_weights_norm");
  TRY(const auto normalise, fields.metadata().find_bool(key));
  config.normalise_experts = normalise.value_or(true);  // every Qwen 3's are, says no key
  return {};
}

Result<void> parse_local_rope(const Fields& fields, Config& config) {
  TRY(const auto theta, fields.find_float("rope.freq_base_swa", kTheta));
  if (fields.family().name == "gemma3") {
    config.local_rope = Rope{.theta = theta.value_or(kAbsentLocalTheta), .dim = config.head_dim};
    return {};
  }
  if (!theta || *theta == config.rope.theta) return {};
  return fail(ErrorCode::unsupported, "{}: '{}' is {}, only {} is supported, as of all layers",
              fields.where(), fields.key("rope.freq_base_swa"), *theta, config.rope.theta);
}

/// What needs no key.
void set_family_traits(const GgufFamily& family, Config& config) {
  config.permuted_qk = family.name == "llama";
  config.fused_projections = family.name == "phi3";
  config.qkv_bias = family.name == "qwen2";
  config.qk_norm = family.name == "qwen3" || family.name == "qwen3moe" || family.name == "gemma3";
  if (!family.is_gemma()) return;
  config.gemma_norms = true;
  config.norms_include_one = true;
  config.activation = Activation::gelu_tanh;
  config.embedding_scale = std::sqrt(static_cast<float>(config.model_dim));
}

Result<const GgufFamily*> parse_family(const GgufMetadata& metadata) {
  TRY(const auto& kind, metadata.find_string("general.type"));
  if (kind && *kind != "model") {
    return fail(ErrorCode::unsupported, "{}: 'general.type' is '{}', only 'model' is supported",
                metadata.where(), printable(*kind));
  }
  TRY(const std::string& name, metadata.get_string("general.architecture"));
  return find_gguf_family(name, metadata.where());
}

}  // namespace

Result<Config> config_from_gguf(const Gguf& gguf) {
  TRY(const GgufFamily* family, parse_family(gguf.metadata()));
  const Fields fields(*family, gguf);
  CHECK_OK(fields.check_only(kOnly));
  Config config{.architecture = std::string(family->architecture)};
  CHECK_OK(parse_sizes(fields, config));
  CHECK_OK(check_tensor_names(*family, gguf.checkpoint(), config.n_layers));
  set_family_traits(*family, config);

  TRY(const auto eps, fields.find_float("attention.layer_norm_rms_epsilon", kNormEps));
  if (!eps) {
    return fail(ErrorCode::bad_format, "{}: '{}' is missing, expected {}", fields.where(),
                fields.key("attention.layer_norm_rms_epsilon"), to_string(kNormEps));
  }
  config.norm_eps = *eps;
  TRY(const auto scale, fields.find_float("attention.scale", kAttentionScale));
  config.attention_scale = scale.value_or(usual_attention_scale(*family, config));
  TRY(config.rope, parse_rope(fields, config));
  CHECK_OK(parse_windows(fields, config));
  CHECK_OK(parse_local_rope(fields, config));
  CHECK_OK(parse_softcaps(fields, config));
  CHECK_OK(parse_experts(fields, config));
  CHECK_OK(parse_special_ids(fields, config));
  config.tied_embeddings = gguf.checkpoint().find("output.weight") == nullptr;
  return config;
}

}  // namespace handloom::formats
