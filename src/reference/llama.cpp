#include "reference/llama.h"

#include "reference/add.h"
#include "reference/attention.h"
#include "reference/embed.h"
#include "reference/kv_append.h"
#include "reference/matmul.h"
#include "reference/rms_norm.h"
#include "reference/rope.h"
#include "reference/swiglu.h"

namespace handloom::reference {

KvCache::KvCache(const formats::Config& config, uint32_t n_pages, DType stored_as_)
    : layers(config.n_layers, make_kv(n_pages, config.n_kv_heads, config.head_dim)),
      stored_as(stored_as_) {}

Llama::Llama(formats::Config config, LlamaWeights weights)
    : config_(std::move(config)),
      weights_(std::move(weights)),
      inv_freq_(config_.rope.inv_freq()) {}

Result<Llama> Llama::load(const std::string& folder, DType stored_as) {
  TRY(formats::Config config, formats::load_config(folder));
  if (config.architecture != "llama") {
    return fail(ErrorCode::unsupported,
                "reference: architecture '{}' has no CPU twin, only llama has",
                config.architecture);
  }
  if (config.rope.scaling == formats::RopeScaling::longrope) {
    return fail(ErrorCode::unsupported,
                "reference: rope scaling 'longrope' has no CPU twin; expected another");
  }
  TRY(const formats::Checkpoint checkpoint, formats::open_safetensors(folder));
  TRY(LlamaWeights weights, load_llama_weights(checkpoint, config, stored_as));
  return Llama(std::move(config), std::move(weights));
}

Result<Host> Llama::forward(const Batch& batch, KvCache& kv, const OnStage& on_stage) const {
  CHECK_OK(check(batch, kv));
  const uint32_t n_heads = config_.n_heads, n_kv_heads = config_.n_kv_heads;
  const uint32_t head_dim = config_.head_dim;
  const Scores scores{.scale = config_.attention_scale};
  const auto stage = [&](std::string_view name, const Host& values) {
    if (on_stage) on_stage(name, values);
  };

  Host x = embed(batch.token_ids, weights_.token_embd);  // [n_tokens, model_dim]

  for (uint32_t il = 0; il < config_.n_layers; ++il) {
    const LlamaWeights::Layer& w = weights_.layers[il];
    stage(fmt::format("hidden.{}", il), x);

    // Attention: x += attn_output(attention(q, K, V))
    Host norm = rms_norm(x, w.attn_norm, config_.norm_eps);
    Host qkv = matmul(norm, w.attn_qkv);  // [n_tokens, (n_heads + 2 * n_kv_heads) * head_dim]
    rope(qkv, batch.positions, inv_freq_, n_heads + n_kv_heads, head_dim);
    kv_append(qkv, batch.positions, batch.page_table, kv.layers[il], kv.stored_as);
    const Host heads = attention(qkv, batch.positions, batch.page_table, kv.layers[il], n_heads,
                                 n_kv_heads, head_dim, scores);  // [n_tokens, n_heads * head_dim]
    const Host attn = matmul(heads, w.attn_output);
    stage(fmt::format("layers.{}.attn", il), attn);
    add(x, attn);

    // Feed-forward: x += down(silu(gate(x)) * up(x))
    norm = rms_norm(x, w.ffn_norm, config_.norm_eps);
    const Host ffn = swiglu(matmul(norm, w.ffn_gate_up));  // [n_tokens, ffn_dim]
    const Host mlp = matmul(ffn, w.ffn_down);
    stage(fmt::format("layers.{}.mlp", il), mlp);
    add(x, mlp);
  }

  const Host norm = rms_norm(x, weights_.output_norm, config_.norm_eps);
  stage(fmt::format("hidden.{}", config_.n_layers), norm);
  Host logits = matmul(norm, weights_.output);  // [n_tokens, vocab_size]
  stage("logits", logits);
  return logits;
}

Result<void> Llama::check(const Batch& batch, const KvCache& kv) const {
  if (batch.positions.size() != batch.token_ids.size()) {
    return fail(ErrorCode::invalid_argument, "llama: the batch has {} positions, expected {}",
                batch.positions.size(), batch.token_ids.size());
  }
  for (const uint32_t id : batch.token_ids) {
    if (id >= config_.vocab_size) {
      return fail(ErrorCode::invalid_argument,
                  "llama: a token id is {}, expected less than vocab_size, {}", id,
                  config_.vocab_size);
    }
  }
  for (const uint32_t position : batch.positions) {
    if (position / kPageSize >= batch.page_table.size()) {
      return fail(ErrorCode::invalid_argument,
                  "llama: position {} is in page {} of the sequence, expected one of the {} in the "
                  "page table",
                  position, position / kPageSize, batch.page_table.size());
    }
  }
  const Shape kv_shape = {kv.layers.empty() ? 0 : kv.layers[0].dim(0), 2 * config_.n_kv_heads,
                          kPageSize, config_.head_dim};
  if (kv.layers.size() != config_.n_layers || kv.layers[0].shape != kv_shape) {
    return fail(ErrorCode::invalid_argument,
                "llama: the KV cache has {} layers, expected {} of shape [n_pages, {}, {}, {}]",
                kv.layers.size(), config_.n_layers, kv_shape.dim(1), kPageSize, config_.head_dim);
  }
  for (const uint32_t page : batch.page_table) {
    if (page >= kv_shape.dim(0)) {
      return fail(ErrorCode::invalid_argument,
                  "llama: the page table names page {}, expected less than the {} of the KV cache",
                  page, kv_shape.dim(0));
    }
  }
  return {};
}

}  // namespace handloom::reference
