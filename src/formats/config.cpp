#include "formats/config.h"

#include "base/file.h"
#include "formats/families.h"
#include "formats/fields.h"
#include "formats/limits.h"
#include "formats/rope.h"

#include <cmath>

namespace handloom::formats {
namespace {

constexpr size_t kMaxConfigBytes = size_t{16} << 20;

/// Absent in old files, where it means model_dim / n_heads.
Result<uint32_t> parse_head_dim(const JsonObject& object, uint32_t model_dim, uint32_t n_heads) {
  TRY(const auto given, find_u32_in(object, "head_dim", 2, kMaxHeadDim));
  if (!given && model_dim % n_heads != 0) {
    return fail(ErrorCode::bad_format,
                "{}: 'hidden_size' is {}, expected a multiple of num_attention_heads ({})",
                object.where(), model_dim, n_heads);
  }
  const uint32_t head_dim = given.value_or(model_dim / n_heads);
  if (head_dim % 2 == 0 && head_dim > 0 && head_dim <= kMaxHeadDim) return head_dim;
  return fail(ErrorCode::bad_format, "{}: 'head_dim' is {}, expected an even number up to {}",
              object.where(), head_dim, kMaxHeadDim);
}

Result<void> parse_sizes(const JsonObject& object, Config& config) {
  TRY(config.model_dim, get_u32_in(object, "hidden_size", 1, kMaxModelDim));
  TRY(config.ffn_dim, get_u32_in(object, "intermediate_size", 1, kMaxFfnDim));
  TRY(config.n_layers, get_u32_in(object, "num_hidden_layers", 1, kMaxLayers));
  TRY(config.n_heads, get_u32_in(object, "num_attention_heads", 1, kMaxHeads));
  TRY(config.vocab_size, get_u32_in(object, "vocab_size", 1, kMaxVocabSize));
  TRY(config.max_seq_len, get_u32_in(object, "max_position_embeddings", 1, kMaxSeqLen));
  TRY(const auto n_kv_heads, find_u32_in(object, "num_key_value_heads", 1, kMaxHeads));
  config.n_kv_heads = n_kv_heads.value_or(config.n_heads);
  if (config.n_heads % config.n_kv_heads != 0) {
    return fail(ErrorCode::bad_format,
                "{}: 'num_key_value_heads' is {}, expected a divisor of num_attention_heads ({})",
                object.where(), config.n_kv_heads, config.n_heads);
  }
  TRY(config.head_dim, parse_head_dim(object, config.model_dim, config.n_heads));
  return {};
}

Result<void> parse_special_ids(const JsonObject& object, Config& config) {
  TRY(config.eos_ids, find_ids(object, "eos_token_id"));
  TRY(config.bos_id, object.find_u32("bos_token_id"));
  for (const uint32_t id : config.eos_ids) {
    if (id < config.vocab_size) continue;
    return fail(ErrorCode::bad_format,
                "{}: 'eos_token_id' is {}, expected less than vocab_size ({})", object.where(), id,
                config.vocab_size);
  }
  if (config.bos_id && *config.bos_id >= config.vocab_size) {
    return fail(ErrorCode::bad_format,
                "{}: 'bos_token_id' is {}, expected less than vocab_size ({})", object.where(),
                *config.bos_id, config.vocab_size);
  }
  return {};
}

/// Parameters per layer type are for the family that has two rotations.
Result<void> check_one_rope(const JsonObject& object, const Config& config) {
  const Json* parameters = object.find("rope_parameters");
  if (config.local_rope || parameters == nullptr || !parameters->contains("full_attention")) {
    return {};
  }
  return fail(ErrorCode::unsupported,
              "{}: 'rope_parameters' differ by layer type, which '{}' does not support",
              object.where(), config.architecture);
}

Result<Config> parse_common(const JsonObject& object) {
  Config config;
  CHECK_OK(parse_sizes(object, config));
  TRY(config.norm_eps, get_float_in(object, "rms_norm_eps", kNormEps));
  TRY(config.rope, parse_rope(object, config.head_dim));
  config.attention_scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim));
  CHECK_OK(parse_special_ids(object, config));
  return config;
}

}  // namespace

uint64_t Config::kv_bytes_per_token(DType kv) const {
  const uint64_t scale_bytes = kv == DType::i8 ? 2 : 0;  // an f16 for each row of a head
  return uint64_t{2} * n_layers * n_kv_heads * (head_dim * dtype_bytes(kv) + scale_bytes);
}

uint64_t Config::weight_count() const {
  const uint64_t dim = model_dim;
  const uint64_t attention = dim * (2 * uint64_t{q_dim()} + 2 * uint64_t{kv_dim()}) +
                             (qkv_bias ? uint64_t{q_dim()} + 2 * uint64_t{kv_dim()} : 0);
  const uint64_t ffn =
      n_experts > 0 ? n_experts * (3 * dim * expert_ffn_dim + dim) : 3 * dim * ffn_dim;
  const uint64_t norms = (gemma_norms ? 4 : 2) * dim + (qk_norm ? 2 * uint64_t{head_dim} : 0);
  const uint64_t embedding = vocab_size * dim;
  const uint64_t output = tied_embeddings ? 0 : embedding;
  return embedding + n_layers * (attention + ffn + norms) + dim + output;
}

Result<Config> parse_config(std::string_view json, std::string where) {
  TRY(const Json& root, parse_json(json, where));
  TRY(const JsonObject& object, JsonObject::from(root, std::move(where)));
  TRY(const Family* family, find_family(object));
  TRY(Config config, parse_common(object));
  config.architecture = family->model_type;
  CHECK_OK(family->parse(object, config));
  CHECK_OK(check_one_rope(object, config));
  return config;
}

Result<Config> load_config(const std::string& folder) {
  const std::string path = folder + "/config.json";
  TRY(const std::string& text, read_text_file(path, kMaxConfigBytes));
  return parse_config(text, path);
}

}  // namespace handloom::formats
