// Gemma 2 (Riviere et al., 2024): norms on both sides of each block, a gelu gate, scores and logits
// capped, every other layer with a window, the embedding scaled by sqrt(model_dim).
#include "model/families.h"
#include "ops/add.h"
#include "ops/embed.h"
#include "ops/geglu.h"
#include "ops/matmul.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
#include "ops/softcap.h"

namespace handloom::model {
namespace {

class Gemma2 final : public Model {
 public:
  using Model::Model;
  void forward(gpu::Encoder& enc, const Batch& batch, const kv_cache::KvCache& kv,
               const gpu::Tensor& logits) const override;
  void decode(gpu::Encoder& enc, const Batch& batch, const kv_cache::KvCache& kv,
              const gpu::Tensor& logits) const override {
    decode_dense(enc, batch, kv, logits, ops::Gate::gelu);
  }
};

void Gemma2::forward(gpu::Encoder& enc, const Batch& batch, const kv_cache::KvCache& kv,
                     const gpu::Tensor& logits) const {
  const Activations a = activations(batch.n_tokens());
  const float eps = config().norm_eps;

  ops::embed(enc, batch.token_ids, weights().token_embd, a.x, config().embedding_scale);
  for (uint32_t il = 0; il < config().n_layers; ++il) {
    const Weights::Layer& w = weights().layers[il];
    enc.stage(fmt::format("hidden.{}", il), a.x);

    // Attention: x += post_attn_norm(attn_output(attention(q, K, V)))
    ops::rms_norm(enc, a.x, w.attn_norm, a.norm, eps);
    ops::matmul(enc, a.norm, w.attn_qkv, a.qkv);
    ops::rope(enc, batch.positions, cos_sin(il), a.qkv, heads());
    kv_append(enc, a, batch, kv, il);
    attention(enc, a, batch, kv, il);
    ops::matmul(enc, a.attn, w.attn_output, a.proj);
    enc.stage(fmt::format("layers.{}.attn", il), a.proj);
    ops::rms_norm(enc, a.proj, w.post_attn_norm, a.norm, eps);
    ops::add(enc, a.norm, a.x);

    // Feed-forward: x += post_ffn_norm(ffn_down(gelu(gate(x)) * up(x)))
    ops::rms_norm(enc, a.x, w.ffn_norm, a.norm, eps);
    ops::matmul(enc, a.norm, w.ffn_gate_up, a.gate_up);
    ops::geglu(enc, a.gate_up, a.ffn);
    ops::matmul(enc, a.ffn, w.ffn_down, a.proj);
    enc.stage(fmt::format("layers.{}.mlp", il), a.proj);
    ops::rms_norm(enc, a.proj, w.post_ffn_norm, a.norm, eps);
    ops::add(enc, a.norm, a.x);
  }
  output(enc, a, logits);
  if (config().final_softcap > 0) ops::softcap(enc, logits, config().final_softcap);
  enc.stage("logits", logits);
}

}  // namespace

std::unique_ptr<Model> make_gemma2(Parts parts) {
  return std::make_unique<Gemma2>(std::move(parts));
}

}  // namespace handloom::model
