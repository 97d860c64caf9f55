// Qwen 3 MoE (Yang et al., 2025): Qwen 3 whose feed-forward is a mixture of experts; a router
// chooses a few of many small blocks per token, and only these are computed.
#include "model/families.h"
#include "ops/add.h"
#include "ops/embed.h"
#include "ops/experts.h"
#include "ops/matmul.h"
#include "ops/prepare_input.h"
#include "ops/qk_norm.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
#include "ops/swiglu.h"

namespace handloom::model {
namespace {

class Qwen3Moe final : public Model {
 public:
  using Model::Model;
  void forward(gpu::Encoder& enc, const Batch& batch, const kv_cache::KvCache& kv,
               const gpu::Tensor& logits) const override;
  void decode(gpu::Encoder& enc, const Batch& batch, const kv_cache::KvCache& kv,
              const gpu::Tensor& logits) const override;

 private:
  /// x += sum over the chosen experts of share * down(silu(gate(x)) * up(x)); a.proj holds the sum.
  void experts(gpu::Encoder& enc, const Activations& a, const Weights::Layer& w) const;
};

void Qwen3Moe::experts(gpu::Encoder& enc, const Activations& a, const Weights::Layer& w) const {
  ops::rms_norm(enc, a.x, w.ffn_norm, a.norm, config().norm_eps);
  ops::matmul(enc, a.norm, w.router, a.router);
  ops::route_experts(enc, a.router, a.expert_ids, a.shares, config().normalise_experts);
  ops::matmul_experts(enc, a.norm, a.expert_ids, w.experts_gate_up, a.gate_up);
  ops::swiglu(enc, a.gate_up, a.ffn);
  ops::matmul_experts(enc, a.ffn, a.expert_ids, w.experts_down, a.expert_out);
  ops::combine_experts(enc, a.expert_out, a.shares, a.proj);
}

void Qwen3Moe::forward(gpu::Encoder& enc, const Batch& batch, const kv_cache::KvCache& kv,
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
    ops::qk_norm(enc, w.attn_q_norm, w.attn_k_norm, a.qkv, heads(), eps);
    ops::rope(enc, batch.positions, cos_sin(il), a.qkv, heads());
    kv_append(enc, a, batch, kv, il);
    attention(enc, a, batch, kv, il);
    ops::matmul(enc, a.attn, w.attn_output, a.proj);
    enc.stage(fmt::format("layers.{}.attn", il), a.proj);
    ops::add(enc, a.proj, a.x);

    // Feed-forward: x += the chosen experts' sum
    experts(enc, a, w);
    enc.stage(fmt::format("layers.{}.mlp", il), a.proj);
    ops::add(enc, a.proj, a.x);
  }
  output(enc, a, logits);
  enc.stage("logits", logits);
}

void Qwen3Moe::decode(gpu::Encoder& enc, const Batch& batch, const kv_cache::KvCache& kv,
                      const gpu::Tensor& logits) const {
  const Activations a = activations(1);
  const std::vector<Weights::Layer>& layers = weights().layers;
  const gpu::Tensor& words = decode_buffers().model_input;

  ops::Input next = input_to(layers[0].attn_qkv, words);
  ops::embed_input(enc, batch.token_ids, weights().token_embd, layers[0].attn_norm, a.x, next);
  for (uint32_t il = 0; il < config().n_layers; ++il) {
    const Weights::Layer& w = layers[il];
    enc.stage(fmt::format("hidden.{}", il), a.x);

    // Attention: x += attn_output(attention(q, K, V))
    ops::project(enc, attended(enc, a, batch, kv, il, next), w.attn_output, {}, a.proj,
                 config().norm_eps);
    enc.stage(fmt::format("layers.{}.attn", il), a.proj);
    ops::add(enc, a.proj, a.x);

    // Feed-forward: x += the chosen experts' sum
    experts(enc, a, w);
    enc.stage(fmt::format("layers.{}.mlp", il), a.proj);
    const bool is_last = il + 1 == config().n_layers;
    next = input_to(is_last ? weights().output : layers[il + 1].attn_qkv, words);
    ops::add_and_prepare_input(enc, a.proj, {},
                               is_last ? weights().output_norm : layers[il + 1].attn_norm, a.x,
                               next, config().norm_eps);
  }
  decode_output(enc, a, next, logits);
}

}  // namespace

std::unique_ptr<Model> make_qwen3_moe(Parts parts) {
  return std::make_unique<Qwen3Moe>(std::move(parts));
}

}  // namespace handloom::model
