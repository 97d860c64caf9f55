// The weights of a decoder on the GPU: read from a checkpoint, immutable, shared by all sessions.
// What a family does not have stays empty.
#pragma once

#include "base/result.h"
#include "formats/config.h"
#include "gpu/device.h"
#include "model/upload.h"
#include "ops/matrix.h"

#include <vector>

namespace handloom::model {

struct Weights {
  struct Layer {
    gpu::Tensor attn_norm;       // f32 [model_dim]
    ops::Matrix attn_qkv;        // [(n_heads + 2 * n_kv_heads) * head_dim, model_dim]: [q | k | v]
    gpu::Tensor attn_qkv_bias;   // f32 [(n_heads + 2 * n_kv_heads) * head_dim]   Qwen 2
    gpu::Tensor attn_q_norm;     // f32 [head_dim]                                Qwen 3, Gemma 3
    gpu::Tensor attn_k_norm;     // f32 [head_dim]
    ops::Matrix attn_output;     // [model_dim, n_heads * head_dim]
    gpu::Tensor post_attn_norm;  // f32 [model_dim]                               Gemma
    gpu::Tensor ffn_norm;        // f32 [model_dim]
    ops::Matrix ffn_gate_up;     // [2 * ffn_dim, model_dim]: [gate | up]
    ops::Matrix ffn_down;        // [model_dim, ffn_dim]
    gpu::Tensor post_ffn_norm;   // f32 [model_dim]                               Gemma
    ops::Matrix router;  // [n_experts, model_dim]                        mixtures of experts;
    ops::Matrix experts_gate_up;  // [n_experts * 2 * expert_ffn_dim, model_dim]   then without the
    ops::Matrix experts_down;     // [n_experts * model_dim, expert_ffn_dim]       ffn_ matrices
  };

  ops::Matrix token_embd;     // [vocab_size, model_dim]
  std::vector<Layer> layers;  // [n_layers]
  gpu::Tensor output_norm;    // f32 [model_dim]
  ops::Matrix output;         // [vocab_size, model_dim]; shares token_embd's memory if tied

  /// Bytes that one decode step reads: everything but the unused rows of the embedding and the
  /// experts that are not chosen.
  uint64_t bytes_per_token(const formats::Config& config) const;
};

/// Allocates all weights and adds what fills them to `uploads`, which must be worked off while
/// `checkpoint` lives. Errors: not_found for a missing tensor, bad_format for a shape that
/// contradicts the config, unsupported for a type, out_of_memory for what the adapter refuses.
/// Gemma's norms get the 1 that the model adds to them here, unless the file has added it.
Result<Weights> load_weights(gpu::Device& device, const formats::Checkpoint& checkpoint,
                             formats::Naming naming, const formats::Config& config,
                             WeightStorage storage, Uploads& uploads);

}  // namespace handloom::model
