// Qwen 2 and 2.5 (Yang et al., 2024): a Llama with biases on queries, keys and values.
#include "model/families.h"
#include "ops/add.h"
#include "ops/add_bias.h"
#include "ops/embed.h"
#include "ops/matmul.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
#include "ops/swiglu.h"

namespace handloom::model {
namespace {

class Qwen2 final : public Model {
 public:
  using Model::Model;
  void forward(gpu::Encoder& enc, const Batch& batch, const kv_cache::KvCache& kv,
               const gpu::Tensor& logits) const override;
  void decode(gpu::Encoder& enc, const Batch& batch, const kv_cache::KvCache& kv,
              const gpu::Tensor& logits) const override {
    decode_dense(enc, batch, kv, logits, ops::Gate::silu);
  }
};

void Qwen2::forward(gpu::Encoder& enc, const Batch& batch, const kv_cache::KvCache& kv,
                    const gpu::Tensor& logits) const {
  const Activations a = activations(batch.n_tokens());
  const float eps = config().norm_eps;

  ops::embed(enc, batch.token_ids, weights().token_embd, a.x);
  for (uint32_t il = 0; il < config().n_layers; ++il) {
    const Weights::Layer& w = weights().layers[il];
    enc.stage(fmt::format("hidden.{}", il), a.x);

    // Attention: x += attn_output(attention(q, K, V))
    ops::rms_norm(enc, a.x, w.attn_norm, a.norm, eps);
    ops::matmul(enc, a.norm, w.attn_qkv, a.qkv);
    ops::add_bias(enc, w.attn_qkv_bias, a.qkv);
    ops::rope(enc, batch.positions, cos_sin(il), a.qkv, heads());
    kv_append(enc, a, batch, kv, il);
    attention(enc, a, batch, kv, il);
    ops::matmul(enc, a.attn, w.attn_output, a.proj);
    enc.stage(fmt::format("layers.{}.attn", il), a.proj);
    ops::add(enc, a.proj, a.x);

    // Feed-forward: x += ffn_down(silu(gate(x)) * up(x))
    ops::rms_norm(enc, a.x, w.ffn_norm, a.norm, eps);
    ops::matmul(enc, a.norm, w.ffn_gate_up, a.gate_up);
    ops::swiglu(enc, a.gate_up, a.ffn);
    ops::matmul(enc, a.ffn, w.ffn_down, a.proj);
    enc.stage(fmt::format("layers.{}.mlp", il), a.proj);
    ops::add(enc, a.proj, a.x);
  }
  output(enc, a, logits);
  enc.stage("logits", logits);
}

}  // namespace

std::unique_ptr<Model> make_qwen2(Parts parts) { return std::make_unique<Qwen2>(std::move(parts)); }

}  // namespace handloom::model
