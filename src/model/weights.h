// The weights of a decoder on the GPU: read from a checkpoint, immutable, shared by all sessions.
// What a family does not have stays an empty tensor.
#pragma once

#include "base/result.h"
#include "formats/config.h"
#include "formats/safetensors.h"
#include "gpu/device.h"

#include <functional>
#include <vector>

namespace handloom::model {

struct Weights {
  struct Layer {
    gpu::Tensor attn_norm;       // f32 [model_dim]
    gpu::Tensor attn_qkv;        // [(n_heads + 2 * n_kv_heads) * head_dim, model_dim]: [q | k | v]
    gpu::Tensor attn_qkv_bias;   // f32 [(n_heads + 2 * n_kv_heads) * head_dim]   Qwen 2
    gpu::Tensor attn_q_norm;     // f32 [head_dim]                                Qwen 3, Gemma 3
    gpu::Tensor attn_k_norm;     // f32 [head_dim]
    gpu::Tensor attn_output;     // [model_dim, n_heads * head_dim]
    gpu::Tensor post_attn_norm;  // f32 [model_dim]                               Gemma
    gpu::Tensor ffn_norm;        // f32 [model_dim]
    gpu::Tensor ffn_gate_up;     // [2 * ffn_dim, model_dim]: [gate | up]
    gpu::Tensor ffn_down;        // [model_dim, ffn_dim]
    gpu::Tensor post_ffn_norm;   // f32 [model_dim]                               Gemma
    gpu::Tensor router;  // [n_experts, model_dim]                        mixtures of experts;
    gpu::Tensor experts_gate_up;  // [n_experts * 2 * expert_ffn_dim, model_dim]   then without the
    gpu::Tensor experts_down;     // [n_experts * model_dim, expert_ffn_dim]       ffn_ matrices
  };

  gpu::Tensor token_embd;     // [vocab_size, model_dim]
  std::vector<Layer> layers;  // [n_layers]
  gpu::Tensor output_norm;    // f32 [model_dim]
  gpu::Tensor output;         // [vocab_size, model_dim]; shares token_embd's memory if tied

  /// Bytes that one decode step reads: everything but the unused rows of the embedding and the
  /// experts that are not chosen.
  uint64_t bytes_per_token(const formats::Config& config) const;
};

/// How matrices are stored on the GPU. Norms and biases are always f32, which is exact; Gemma's
/// norms get the 1 that the model adds to them here.
enum class WeightStorage {
  as_in_file,  // f32, f16 or bf16, each exact
  f16,         // rounded to nearest; a value beyond f16's range is refused
};

using OnBytes = std::function<void(uint64_t done_bytes, uint64_t total_bytes)>;

/// Uploads tensor by tensor. Errors: not_found for a missing tensor, bad_format for a shape that
/// contradicts the config, unsupported for a type, out_of_memory for a tensor above the adapter's
/// binding limit.
Result<Weights> load_weights(gpu::Device& device, const formats::Checkpoint& checkpoint,
                             const formats::Config& config, WeightStorage storage,
                             const OnBytes& on_bytes);

}  // namespace handloom::model
