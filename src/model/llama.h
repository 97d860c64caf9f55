// Llama (Touvron et al., 2023; Llama 3 in Grattafiori et al., 2024) as a list of dispatches. Its
// twin on the CPU, line for line, is reference/llama.cpp.
#pragma once

#include "base/result.h"
#include "formats/config.h"
#include "gpu/encoder.h"
#include "kv_cache/kv_cache.h"
#include "model/llama_weights.h"
#include "ops/heads.h"

#include <cstdint>

namespace handloom::model {

/// Rows evaluated together: consecutive tokens of one sequence.
struct Batch {
  gpu::Tensor token_ids;  // u32 [n_tokens]
  gpu::Tensor positions;  // u32 [n_tokens]
  uint32_t n_keys = 0;    // the last row's position + 1; for counting bytes only

  uint32_t n_tokens() const { return token_ids.dim(0); }
};

/// Scratch of a forward pass for up to `max_tokens` rows, sized once. Each tensor has a buffer of
/// its own: WebGPU refuses one buffer as input and output of the same dispatch.
struct Activations {
  gpu::Tensor x;        // [n_tokens, model_dim]   the residual stream
  gpu::Tensor norm;     // [n_tokens, model_dim]
  gpu::Tensor qkv;      // [n_tokens, (n_heads + 2 * n_kv_heads) * head_dim]
  gpu::Tensor attn;     // [n_tokens, n_heads * head_dim]
  gpu::Tensor proj;     // [n_tokens, model_dim]   what is added to x next
  gpu::Tensor gate_up;  // [n_tokens, 2 * ffn_dim]
  gpu::Tensor ffn;      // [n_tokens, ffn_dim]
  gpu::Tensor last;     // [1, model_dim]          the row whose logits are wanted

  static Result<Activations> create(gpu::Device& device, const formats::Config& config,
                                    uint32_t max_tokens);
  uint32_t max_tokens() const { return x.dim(0); }
  /// The same memory, cut to `n_tokens` rows.
  Activations for_tokens(uint32_t n_tokens) const;
};

class Llama {
 public:
  /// Refuses a config that the kernels cannot run, and weights as load_llama_weights does.
  /// `context` is the number of positions that will be used.
  static Result<Llama> load(gpu::Device& device, const formats::Checkpoint& checkpoint,
                            const formats::Config& config, WeightStorage storage, uint32_t context,
                            uint32_t max_tokens, const OnBytes& on_bytes);

  /// Records one forward pass. `logits` is [1, vocab_size] for the last row or [n_tokens,
  /// vocab_size] for all of them.
  void forward(gpu::Encoder& enc, const Batch& batch, const kv_cache::KvCache& kv,
               const gpu::Tensor& logits) const;

  const LlamaWeights& weights() const { return weights_; }
  uint32_t max_tokens() const { return activations_.max_tokens(); }

 private:
  formats::Config config_;
  LlamaWeights weights_;
  Activations activations_;
  gpu::Tensor cos_sin_;  // [context, rope_dim / 2, 2]: every rotation that a position needs
  ops::Heads heads_;
  float attention_scale_ = 0;
};

/// Error: unsupported, if a dimension is one that the kernels cannot run.
Result<void> check_dimensions(const formats::Config& config);

}  // namespace handloom::model
