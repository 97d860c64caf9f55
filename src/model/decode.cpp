#include "model/decode.h"

#include "model/model.h"
#include "ops/add.h"
#include "ops/attention_head.h"
#include "ops/embed.h"
#include "ops/geglu.h"
#include "ops/matmul.h"
#include "ops/prepare_input.h"
#include "ops/project.h"
#include "ops/project_attended.h"
#include "ops/rms_norm.h"
#include "ops/softcap.h"
#include "ops/swiglu.h"

#include <algorithm>

namespace handloom::model {
namespace {

constexpr uint32_t kBlock = 8;  // values that the fused kernels store together

/// Values that all spans of a context leave.
uint64_t span_values(const formats::Config& c, uint32_t context) {
  return uint64_t{ops::spans_of(context)} * c.n_heads * ops::span_dim(c.head_dim);
}

}  // namespace

bool can_fuse(const formats::Config& c, uint32_t context, const Limits& limits) {
  const uint64_t bindable = std::min(limits.max_binding_bytes, limits.max_buffer_bytes);
  return c.model_dim % kBlock == 0 && c.head_dim % kBlock == 0 && c.ffn_dim % kBlock == 0 &&
         sizeof(float) * span_values(c, context) <= bindable;
}

Result<DecodeBuffers> DecodeBuffers::create(gpu::Device& device, const formats::Config& c,
                                            uint32_t context) {
  constexpr auto kKind = gpu::MemoryKind::activations;
  const auto input = [&](const char* name, uint32_t dim) {
    return device.create_tensor(name, DType::u32, {ops::input_words(dim)}, kKind);
  };
  DecodeBuffers buffers;
  TRY(buffers.model_input, input("model_input", c.model_dim));
  TRY(buffers.attn_input, input("attn_input", c.q_dim()));
  TRY(buffers.ffn_input, input("ffn_input", std::max(c.ffn_dim, 1u)));
  const uint32_t n_spans = ops::spans_of(context);
  TRY(buffers.spans, device.create_tensor("spans", DType::f32,
                                          {n_spans, c.n_heads, ops::span_dim(c.head_dim)}, kKind));
  return buffers;
}

uint64_t DecodeBuffers::bytes(const formats::Config& c, uint32_t context) {
  const uint64_t inputs = ops::input_words(c.model_dim) + ops::input_words(c.q_dim()) +
                          ops::input_words(std::max(c.ffn_dim, 1u));
  return sizeof(float) * (inputs + span_values(c, context));
}

void Model::record(gpu::Encoder& enc, const Batch& batch, const kv_cache::KvCache& kv,
                   const gpu::Tensor& logits) const {
  if (parts_.decode_options.fused && batch.n_tokens() == 1) {
    decode(enc, batch, kv, logits);
  } else {
    forward(enc, batch, kv, logits);
  }
}

ops::Input Model::input_to(const ops::Matrix& weight, const gpu::Tensor& words) const {
  return ops::input_for(weight, words, parts_.decode_options.forms.of(weight.dtype()));
}

ops::SplitRow Model::split_row(const Activations& a, const Batch& batch,
                               const kv_cache::KvCache& kv, uint32_t il) const {
  const Weights::Layer& w = weights().layers[il];
  return {.qkv = a.qkv,
          .positions = batch.positions,
          .cos_sin = cos_sin(il),
          .q_weight = w.attn_q_norm,
          .k_weight = w.attn_k_norm,
          .page_table = kv.page_table(),
          .heads = heads(),
          .eps = config().norm_eps};
}

void Model::attend_spans(gpu::Encoder& enc, const Activations& a, const Batch& batch,
                         const kv_cache::KvCache& kv, uint32_t il, const ops::Input& input) const {
  const Weights::Layer& w = weights().layers[il];
  const ops::Scores how = scores(il);
  const ops::SplitRow row = split_row(a, batch, kv, il);
  ops::project(enc, input, w.attn_qkv, w.attn_qkv_bias, a.qkv, config().norm_eps);
  for (const kv_cache::Slab& slab :
       kv.slabs_seen(batch.first_position(), batch.n_keys, how.window)) {
    ops::attention_split(enc, row, on_device(enc, kv, slab, il), parts_.decode_buffers.spans, how,
                         batch.n_keys, slab.first, std::min(slab.end, batch.end_served()));
  }
}

ops::Input Model::attended(gpu::Encoder& enc, const Activations& a, const Batch& batch,
                           const kv_cache::KvCache& kv, uint32_t il,
                           const ops::Input& input) const {
  const Weights::Layer& w = weights().layers[il];
  ops::Input next = input_to(w.attn_output, parts_.decode_buffers.attn_input);
  const auto slabs = kv.slabs_seen(batch.first_position(), batch.n_keys, scores(il).window);
  if (slabs.size() == 1 && ops::can_attention_head(enc, input, w.attn_qkv, heads())) {
    ops::attention_head(enc, input, w.attn_qkv, w.attn_qkv_bias, split_row(a, batch, kv, il),
                        on_device(enc, kv, slabs[0], il), scores(il), batch.n_keys, next);
  } else {
    attend_spans(enc, a, batch, kv, il, input);
    ops::attention_combine(enc, batch.positions, parts_.decode_buffers.spans, heads(), scores(il),
                           batch.n_keys, next);
  }
  return next;
}

void Model::add_attention(gpu::Encoder& enc, const Activations& a, const Batch& batch,
                          const kv_cache::KvCache& kv, uint32_t il, const ops::Input& input,
                          ops::Input& next) const {
  const Weights::Layer& w = weights().layers[il];
  const ops::Input to_output = input_to(w.attn_output, parts_.decode_buffers.attn_input);
  if (enc.is_tapped() ||
      !ops::can_project_attended(enc, to_output, w.attn_output, scores(il), batch.end_served())) {
    return add_product(enc, a, attended(enc, a, batch, kv, il, input), w.attn_output,
                       w.post_attn_norm, w.ffn_norm, fmt::format("layers.{}.attn", il), next);
  }
  attend_spans(enc, a, batch, kv, il, input);
  const bool is_normed = w.post_attn_norm.buffer != nullptr;
  ops::project_attended(enc,
                        {.positions = batch.positions,
                         .spans = parts_.decode_buffers.spans,
                         .heads = heads(),
                         .scores = scores(il),
                         .n_keys = batch.n_keys},
                        to_output, w.attn_output, is_normed ? gpu::Tensor() : w.ffn_norm,
                        is_normed ? a.proj : a.x, next);
  if (is_normed) {
    ops::add_and_prepare_input(enc, a.proj, w.post_attn_norm, w.ffn_norm, a.x, next,
                               config().norm_eps);
  }
}

void Model::add_product(gpu::Encoder& enc, const Activations& a, const ops::Input& input,
                        const ops::Matrix& weight, const gpu::Tensor& post,
                        const gpu::Tensor& gamma, std::string_view stage, ops::Input& next) const {
  const float eps = config().norm_eps;
  const bool in_one = !post.buffer && ops::can_project_residual(weight);
  if (!in_one || enc.is_tapped()) {  // a dump wants to see what is added
    ops::project(enc, input, weight, {}, a.proj, eps);
    enc.stage(stage, a.proj);
  }
  if (in_one) {
    ops::project_residual(enc, input, weight, gamma, a.x, next);
  } else {
    ops::add_and_prepare_input(enc, a.proj, post, gamma, a.x, next, eps);
  }
}

ops::Input Model::gated(gpu::Encoder& enc, const Activations& a, const ops::Input& input,
                        const Weights::Layer& w, ops::Gate gate) const {
  ops::Input next = input_to(w.ffn_down, parts_.decode_buffers.ffn_input);
  if (ops::can_project_gated(w.ffn_gate_up)) {
    ops::project_gated(enc, input, w.ffn_gate_up, gate, next, config().norm_eps);
    return next;
  }
  ops::project(enc, input, w.ffn_gate_up, {}, a.gate_up, config().norm_eps);
  if (gate == ops::Gate::gelu) {
    ops::geglu(enc, a.gate_up, a.ffn);
  } else {
    ops::swiglu(enc, a.gate_up, a.ffn);
  }
  ops::store_input(enc, a.ffn, a.gate_up, next);
  return next;
}

void Model::decode_dense(gpu::Encoder& enc, const Batch& batch, const kv_cache::KvCache& kv,
                         const gpu::Tensor& logits, ops::Gate gate) const {
  const Activations a = activations(1);
  const std::vector<Weights::Layer>& layers = weights().layers;
  const gpu::Tensor& words = parts_.decode_buffers.model_input;

  ops::Input next = input_to(layers[0].attn_qkv, words);
  ops::embed_input(enc, batch.token_ids, weights().token_embd, layers[0].attn_norm, a.x, next,
                   config().embedding_scale);
  for (uint32_t il = 0; il < config().n_layers; ++il) {
    const Weights::Layer& w = layers[il];
    enc.stage(fmt::format("hidden.{}", il), a.x);

    // Attention: x += attn_output(attention(q, K, V))
    ops::Input to_gate = input_to(w.ffn_gate_up, words);
    add_attention(enc, a, batch, kv, il, next, to_gate);

    // Feed-forward: x += ffn_down(act(gate(x)) * up(x))
    const ops::Input product = gated(enc, a, to_gate, w, gate);
    const bool is_last = il + 1 == config().n_layers;
    next = input_to(is_last ? weights().output : layers[il + 1].attn_qkv, words);
    add_product(enc, a, product, w.ffn_down, w.post_ffn_norm,
                is_last ? weights().output_norm : layers[il + 1].attn_norm,
                fmt::format("layers.{}.mlp", il), next);
  }
  decode_output(enc, a, next, logits);
}

void Model::decode_output(gpu::Encoder& enc, const Activations& a, const ops::Input& input,
                          const gpu::Tensor& logits) const {
  if (enc.is_tapped()) {
    ops::rms_norm(enc, a.x, weights().output_norm, a.norm, config().norm_eps);
    enc.stage(fmt::format("hidden.{}", config().n_layers), a.norm);
  }
  ops::project(enc, input, weights().output, {}, logits, config().norm_eps);
  if (config().final_softcap > 0) ops::softcap(enc, logits, config().final_softcap);
  enc.stage("logits", logits);
}

}  // namespace handloom::model
