// Model: a decoder of some family as a list of dispatches. One file a family holds its forward();
// what all share (weights, scratch, rotations, the way to the logits) is here.
#pragma once

#include "base/result.h"
#include "formats/config.h"
#include "gpu/encoder.h"
#include "kv_cache/kv_cache.h"
#include "model/decode.h"
#include "model/weights.h"
#include "ops/attention.h"
#include "ops/heads.h"
#include "ops/project.h"

#include <cstdint>
#include <memory>

namespace handloom::model {

/// Rows evaluated together: consecutive tokens of one sequence.
struct Batch {
  gpu::Tensor token_ids;  // u32 [n_tokens]
  gpu::Tensor positions;  // u32 [n_tokens]
  uint32_t n_keys = 0;    // the last row's position + 1

  uint32_t n_tokens() const { return token_ids.dim(0); }
  uint32_t first_position() const { return n_keys - n_tokens(); }
  /// A recording of one row serves every position before this one, from the multiple of kGranule
  /// on.
  uint32_t end_served() const {
    return (n_keys + kv_cache::kGranule - 1) / kv_cache::kGranule * kv_cache::kGranule;
  }
};

/// Scratch of a forward pass for up to `max_tokens` rows, sized once. Each tensor has a buffer of
/// its own: WebGPU refuses one buffer as input and output of the same dispatch.
struct Activations {
  gpu::Tensor x;        // [n_tokens, model_dim]   the residual stream
  gpu::Tensor norm;     // [n_tokens, model_dim]
  gpu::Tensor qkv;      // [n_tokens, (n_heads + 2 * n_kv_heads) * head_dim]
  gpu::Tensor softmax;  // [n_tokens, n_heads, 2]  between the slabs of a KV cache
  gpu::Tensor attn;     // [n_tokens, n_heads * head_dim]
  gpu::Tensor proj;     // [n_tokens, model_dim]   what is added to x next
  gpu::Tensor gate_up;  // [n_tokens, 2 * ffn_dim]
  gpu::Tensor ffn;      // [n_tokens, ffn_dim]
  gpu::Tensor last;     // [1, model_dim]          the row whose logits are wanted
  // Mixtures of experts, n_used experts a token; gate_up and ffn then have a row per use:
  gpu::Tensor router;      // [n_tokens, n_experts]
  gpu::Tensor expert_ids;  // u32 [n_tokens, n_used]
  gpu::Tensor shares;      // [n_tokens, n_used]
  gpu::Tensor expert_out;  // [n_tokens * n_used, model_dim]

  static Result<Activations> create(gpu::Device& device, const formats::Config& config,
                                    uint32_t max_tokens);
  /// What create() takes, in bytes.
  static uint64_t bytes(const formats::Config& config, uint32_t max_tokens);
  uint32_t max_tokens() const { return x.dim(0); }
  /// The same memory, cut to `n_tokens` rows.
  Activations for_tokens(uint32_t n_tokens) const;
};

/// What every family needs to record a pass.
struct Parts {
  formats::Config config;
  Weights weights;
  Activations activations;
  gpu::Tensor cos_sin;        // [context, rope_dim / 2, 2]: every rotation that a position needs
  gpu::Tensor local_cos_sin;  // the same for layers with a window, where the config has two ropes
  ops::Heads heads;
  DecodeOptions decode_options;
  DecodeBuffers decode_buffers;
};

class Model {
 public:
  explicit Model(Parts parts) : parts_(std::move(parts)) {}
  virtual ~Model() = default;

  /// Records a step: fused if it is one row and the plan says so, else plain.
  void record(gpu::Encoder& enc, const Batch& batch, const kv_cache::KvCache& kv,
              const gpu::Tensor& logits) const;

  /// The plain plan: one forward pass, a dispatch for each operation. `logits` is [1, vocab_size]
  /// for the last row or [n_tokens, vocab_size] for all of them.
  virtual void forward(gpu::Encoder& enc, const Batch& batch, const kv_cache::KvCache& kv,
                       const gpu::Tensor& logits) const = 0;

  /// The fused plan: the same for one row, in few dispatches.
  virtual void decode(gpu::Encoder& enc, const Batch& batch, const kv_cache::KvCache& kv,
                      const gpu::Tensor& logits) const = 0;

  const Weights& weights() const { return parts_.weights; }
  uint32_t max_tokens() const { return parts_.activations.max_tokens(); }
  const DecodeOptions& decode_options() const { return parts_.decode_options; }

 protected:
  const formats::Config& config() const { return parts_.config; }
  const ops::Heads& heads() const { return parts_.heads; }
  Activations activations(uint32_t n_tokens) const {
    return parts_.activations.for_tokens(n_tokens);
  }
  /// The rotations of layer `il`.
  const gpu::Tensor& cos_sin(uint32_t il) const;
  /// Scale, window and cap of layer `il`.
  ops::Scores scores(uint32_t il) const;
  /// ops::kv_append to the slabs of layer `il` that hold the batch.
  void kv_append(gpu::Encoder& enc, const Activations& a, const Batch& batch,
                 const kv_cache::KvCache& kv, uint32_t il) const;
  /// ops::attention over the slabs of layer `il` that the batch sees, one after the other.
  void attention(gpu::Encoder& enc, const Activations& a, const Batch& batch,
                 const kv_cache::KvCache& kv, uint32_t il) const;
  /// Layer `il` of a slab where kernels can bind it: its own, or a copy of what lies on the host.
  gpu::Tensor on_device(gpu::Encoder& enc, const kv_cache::KvCache& kv, const kv_cache::Slab& slab,
                        uint32_t il) const;
  /// The end of every pass: output norm and output matrix, for the rows that `logits` has room for.
  void output(gpu::Encoder& enc, const Activations& a, const gpu::Tensor& logits) const;

  // Of the fused plan (model/decode.cpp):

  /// decode() of a family without experts. What a layer lacks (a bias, norms of heads, norms of
  /// what is added) its weights lack.
  void decode_dense(gpu::Encoder& enc, const Batch& batch, const kv_cache::KvCache& kv,
                    const gpu::Tensor& logits, ops::Gate gate) const;
  /// An input in the form that products with `weight` take.
  ops::Input input_to(const ops::Matrix& weight, const gpu::Tensor& words) const;
  /// What the batch's only row brings to attention in layer `il`.
  ops::SplitRow split_row(const Activations& a, const Batch& batch, const kv_cache::KvCache& kv,
                          uint32_t il) const;
  /// Attention, from a layer's normed input to the input of attn_output.
  ops::Input attended(gpu::Encoder& enc, const Activations& a, const Batch& batch,
                      const kv_cache::KvCache& kv, uint32_t il, const ops::Input& input) const;
  /// x += post_norm(attn_output . attention), then next from x and the norm to come.
  void add_attention(gpu::Encoder& enc, const Activations& a, const Batch& batch,
                     const kv_cache::KvCache& kv, uint32_t il, const ops::Input& input,
                     ops::Input& next) const;
  /// From a layer's normed input to what attention leaves of every span.
  void attend_spans(gpu::Encoder& enc, const Activations& a, const Batch& batch,
                    const kv_cache::KvCache& kv, uint32_t il, const ops::Input& input) const;
  /// x += post_norm(weight . input), then next from x and the norm to come. `stage` names the
  /// product.
  void add_product(gpu::Encoder& enc, const Activations& a, const ops::Input& input,
                   const ops::Matrix& weight, const gpu::Tensor& post, const gpu::Tensor& gamma,
                   std::string_view stage, ops::Input& next) const;
  /// From a layer's second normed input to the input of ffn_down.
  ops::Input gated(gpu::Encoder& enc, const Activations& a, const ops::Input& input,
                   const Weights::Layer& w, ops::Gate gate) const;
  void decode_output(gpu::Encoder& enc, const Activations& a, const ops::Input& input,
                     const gpu::Tensor& logits) const;
  const DecodeBuffers& decode_buffers() const { return parts_.decode_buffers; }

 private:
  Parts parts_;
};

/// The model of the config's family, on the device. Refuses a config that the kernels cannot run,
/// and weights as load_weights does. `context` is the number of positions that will be used. A plan
/// that cannot be fused is plain. The model is whole when `uploads` are worked off.
Result<std::unique_ptr<Model>> load_model(gpu::Device& device,
                                          const formats::Checkpoint& checkpoint,
                                          formats::Naming naming, const formats::Config& config,
                                          WeightStorage storage, uint32_t context,
                                          uint32_t max_tokens, const DecodeOptions& decode,
                                          Uploads& uploads);

}  // namespace handloom::model
