// A whole Llama as plain loops (Touvron et al., 2023): what model/llama.cpp must compute, to be
// read beside it line for line. Slow, one thread, no GPU.
#pragma once

#include "base/result.h"
#include "formats/config.h"
#include "reference/host.h"
#include "reference/llama_weights.h"

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::reference {

/// Tokens of one sequence that are evaluated together.
struct Batch {
  std::span<const uint32_t> token_ids;   // [n_tokens], each below vocab_size
  std::span<const uint32_t> positions;   // [n_tokens], ascending; K and V of all before are stored
  std::span<const uint32_t> page_table;  // [> last position / kPageSize], page ids
};

/// K and V of one sequence: per layer [n_pages, 2 * n_kv_heads, kPageSize, head_dim].
struct KvCache {
  std::vector<Host> layers;
  DType stored_as = DType::f32;

  KvCache(const formats::Config& config, uint32_t n_pages, DType stored_as_ = DType::f32);
};

/// Sees each named stage of a forward pass as it is computed, with one row per token:
/// "hidden.0" after the embedding, "hidden.i" into layer i, "layers.i.attn" out of the output
/// projection, "layers.i.mlp" out of the down projection, "hidden.L" after the final norm (L
/// layers), "logits".
using OnStage = std::function<void(std::string_view name, const Host& values)>;

class Llama {
 public:
  Llama(formats::Config config, LlamaWeights weights);

  /// Reads config.json and the weights of a Hugging Face folder. Errors: unsupported for another
  /// architecture than llama; those of load_config, open_safetensors and load_llama_weights.
  static Result<Llama> load(const std::string& folder, DType stored_as = DType::f32);

  const formats::Config& config() const { return config_; }

  /// The logits, [n_tokens, vocab_size]; `kv` gains the tokens of the batch.
  /// Error: invalid_argument if the batch contradicts itself, the model or `kv`.
  Result<Host> forward(const Batch& batch, KvCache& kv, const OnStage& on_stage = {}) const;

 private:
  Result<void> check(const Batch& batch, const KvCache& kv) const;

  formats::Config config_;
  LlamaWeights weights_;
  std::vector<float> inv_freq_;  // [rope dim / 2]
};

}  // namespace handloom::reference
