#include "model/llama.h"

#include "ops/add.h"
#include "ops/attention.h"
#include "ops/embed.h"
#include "ops/kv_append.h"
#include "ops/matmul.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
#include "ops/swiglu.h"

#include <cmath>
#include <vector>

namespace handloom::model {

void Llama::forward(gpu::Encoder& enc, const Batch& batch, const kv_cache::KvCache& kv,
                    const gpu::Tensor& logits) const {
  const uint32_t n_tokens = batch.n_tokens();
  const Activations a = activations_.for_tokens(n_tokens);
  const float eps = config_.norm_eps;

  ops::embed(enc, batch.token_ids, weights_.token_embd, a.x);
  enc.stage("hidden.0", a.x);

  for (uint32_t il = 0; il < config_.n_layers; ++il) {
    const LlamaWeights::Layer& w = weights_.layers[il];
    if (il > 0) enc.stage(fmt::format("hidden.{}", il), a.x);

    // Attention: x += attn_output(attention(q, K, V))
    ops::rms_norm(enc, a.x, w.attn_norm, a.norm, eps);
    ops::matmul(enc, a.norm, w.attn_qkv, a.qkv);
    ops::rope(enc, batch.positions, cos_sin_, a.qkv, heads_);
    ops::kv_append(enc, a.qkv, batch.positions, kv.page_table(), kv.layer(il), heads_);
    ops::attention(enc, a.qkv, batch.positions, kv.page_table(), kv.layer(il), a.attn, heads_,
                   attention_scale_, batch.n_keys);
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

  // From here on only the rows whose logits are wanted.
  gpu::Tensor x = a.x, norm = a.norm;
  if (logits.dim(0) < n_tokens) {
    enc.copy(a.x.row(n_tokens - 1), a.last);
    x = a.last;
    norm = a.norm.first_rows(1);
  }
  ops::rms_norm(enc, x, weights_.output_norm, norm, eps);
  enc.stage(fmt::format("hidden.{}", config_.n_layers), norm);
  ops::matmul(enc, norm, weights_.output, logits);
  enc.stage("logits", logits);
}

namespace {

/// cos and sin of position * inv_freq[i], the angle rounded to f32 first as Hugging Face does.
Result<gpu::Tensor> make_cos_sin(gpu::Device& device, const formats::Rope& rope, uint32_t context) {
  const std::vector<float> inv_freq = rope.inv_freq();
  const auto half_dim = static_cast<uint32_t>(inv_freq.size());
  std::vector<float> table;
  table.reserve(size_t{2} * context * half_dim);
  for (uint32_t position = 0; position < context; ++position) {
    for (const float freq : inv_freq) {
      const float angle = static_cast<float>(position) * freq;
      table.push_back(std::cos(angle));
      table.push_back(std::sin(angle));
    }
  }
  TRY(gpu::Tensor tensor, device.create_tensor("rope.cos_sin", DType::f32, {context, half_dim, 2},
                                               gpu::MemoryKind::other));
  device.write(tensor, std::as_bytes(std::span(table)));
  return tensor;
}

}  // namespace

Result<Activations> Activations::create(gpu::Device& device, const formats::Config& c,
                                        uint32_t max_tokens) {
  const auto make = [&](const char* name, uint32_t rows, uint32_t dim) {
    return device.create_tensor(name, DType::f32, {rows, dim}, gpu::MemoryKind::activations);
  };
  Activations a;
  TRY(a.x, make("x", max_tokens, c.model_dim));
  TRY(a.norm, make("norm", max_tokens, c.model_dim));
  TRY(a.qkv, make("qkv", max_tokens, c.q_dim() + 2 * c.kv_dim()));
  TRY(a.attn, make("attn", max_tokens, c.q_dim()));
  TRY(a.proj, make("proj", max_tokens, c.model_dim));
  TRY(a.gate_up, make("gate_up", max_tokens, 2 * c.ffn_dim));
  TRY(a.ffn, make("ffn", max_tokens, c.ffn_dim));
  TRY(a.last, make("last", 1, c.model_dim));
  return a;
}

Activations Activations::for_tokens(uint32_t n_tokens) const {
  return {.x = x.first_rows(n_tokens),
          .norm = norm.first_rows(n_tokens),
          .qkv = qkv.first_rows(n_tokens),
          .attn = attn.first_rows(n_tokens),
          .proj = proj.first_rows(n_tokens),
          .gate_up = gate_up.first_rows(n_tokens),
          .ffn = ffn.first_rows(n_tokens),
          .last = last};
}

Result<void> check_dimensions(const formats::Config& c) {
  const std::pair<const char*, uint32_t> dims[] = {
      {"hidden_size", c.model_dim}, {"intermediate_size", c.ffn_dim}, {"head_dim", c.head_dim}};
  for (const auto& [name, value] : dims) {
    if (value % 4 != 0) {
      return fail(ErrorCode::unsupported, "config: '{}' is {}, expected a multiple of 4", name,
                  value);
    }
  }
  if (c.head_dim > 256) {
    return fail(ErrorCode::unsupported, "config: 'head_dim' is {}, expected at most 256",
                c.head_dim);
  }
  return {};
}

Result<Llama> Llama::load(gpu::Device& device, const formats::Checkpoint& checkpoint,
                          const formats::Config& config, WeightStorage storage, uint32_t context,
                          uint32_t max_tokens, const OnBytes& on_bytes) {
  CHECK_OK(check_dimensions(config));
  Llama llama;
  llama.config_ = config;
  TRY(llama.weights_, load_llama_weights(device, checkpoint, config, storage, on_bytes));
  TRY(llama.activations_, Activations::create(device, config, max_tokens));
  TRY(llama.cos_sin_, make_cos_sin(device, config.rope, context));
  llama.heads_ = {config.n_heads, config.n_kv_heads, config.head_dim};
  llama.attention_scale_ = 1.0f / std::sqrt(static_cast<float>(config.head_dim));
  return llama;
}

}  // namespace handloom::model
