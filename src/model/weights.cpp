#include "model/weights.h"

namespace handloom::model {
namespace {

using formats::Config;

float norm_offset(const Config& c) { return c.gemma_norms && !c.norms_include_one ? 1.0f : 0.0f; }

/// The rows of `ours`; of a Llama in GGUF, those of queries and keys are permuted.
Result<Piece> head_rows(const Uploader& up, const Config& c, const std::string& ours,
                        uint32_t rows) {
  TRY(Piece piece, up.piece(ours, rows, c.model_dim));
  if (c.permuted_qk) piece.permuted_head = c.head_dim;
  return piece;
}

/// The file may hold one matrix or three.
Result<ops::Matrix> load_qkv(Uploader& up, const Config& c, const std::string& blk) {
  std::vector<Piece> pieces;
  if (c.fused_projections || up.find(blk + "attn_q.weight") == nullptr) {
    if (c.fused_projections || up.find(blk + "attn_qkv.weight") != nullptr) {
      TRY(const Piece fused,
          up.piece(blk + "attn_qkv.weight", c.q_dim() + 2 * c.kv_dim(), c.model_dim));
      return up.matrix(blk + "attn_qkv.weight", {fused}, c.model_dim);
    }
  }
  TRY(const Piece q, head_rows(up, c, blk + "attn_q.weight", c.q_dim()));
  TRY(const Piece k, head_rows(up, c, blk + "attn_k.weight", c.kv_dim()));
  TRY(const Piece v, up.piece(blk + "attn_v.weight", c.kv_dim(), c.model_dim));
  return up.matrix(blk + "attn_qkv.weight", {q, k, v}, c.model_dim);
}

Result<ops::Matrix> load_gate_up(Uploader& up, const Config& c, const std::string& blk) {
  if (c.fused_projections || up.find(blk + "ffn_gate.weight") == nullptr) {
    if (c.fused_projections || up.find(blk + "ffn_gate_up.weight") != nullptr) {
      TRY(const Piece fused, up.piece(blk + "ffn_gate_up.weight", 2 * c.ffn_dim, c.model_dim));
      return up.matrix(blk + "ffn_gate_up.weight", {fused}, c.model_dim);
    }
  }
  TRY(const Piece gate, up.piece(blk + "ffn_gate.weight", c.ffn_dim, c.model_dim));
  TRY(const Piece up_proj, up.piece(blk + "ffn_up.weight", c.ffn_dim, c.model_dim));
  return up.matrix(blk + "ffn_gate_up.weight", {gate, up_proj}, c.model_dim);
}

Result<void> load_attention(Uploader& up, const Config& c, const std::string& blk,
                            Weights::Layer& w) {
  TRY(w.attn_qkv, load_qkv(up, c, blk));
  if (c.qkv_bias) {
    const bool fused = up.find(blk + "attn_qkv.bias") != nullptr;
    TRY(w.attn_qkv_bias,
        fused ? up.vector(blk + "attn_qkv.bias",
                          {{blk + "attn_qkv.bias", c.q_dim() + 2 * c.kv_dim()}})
              : up.vector(blk + "attn_qkv.bias", {{blk + "attn_q.bias", c.q_dim()},
                                                  {blk + "attn_k.bias", c.kv_dim()},
                                                  {blk + "attn_v.bias", c.kv_dim()}}));
  }
  if (c.qk_norm) {
    const auto norm = [&](const std::string& name) {
      return up.vector(name, {{name, c.head_dim}}, norm_offset(c));
    };
    TRY(w.attn_q_norm, norm(blk + "attn_q_norm.weight"));
    TRY(w.attn_k_norm, norm(blk + "attn_k_norm.weight"));
  }
  TRY(const Piece output, up.piece(blk + "attn_output.weight", c.model_dim, c.q_dim()));
  TRY(w.attn_output, up.matrix(blk + "attn_output.weight", {output}, c.q_dim()));
  return {};
}

/// Expert after expert, gate above up. A file has a tensor for each expert or one for all; MLC's
/// has gate and up as one, too.
Result<void> load_experts(Uploader& up, const Config& c, const std::string& blk,
                          Weights::Layer& w) {
  const uint32_t dim = c.expert_ffn_dim;
  std::vector<Piece> gate_up, down;
  const bool fused = up.find(blk + "experts.gate_up.weight") != nullptr;
  const bool stacked = fused || up.find(blk + "experts.gate.weight") != nullptr;
  for (uint32_t e = 0; e < c.n_experts; ++e) {
    const auto rows_of_expert = [&](std::string_view matrix, uint32_t rows,
                                    uint32_t in_dim) -> Result<Piece> {
      if (!stacked) {
        return up.piece(fmt::format("{}experts.{}.{}.weight", blk, e, matrix), rows, in_dim);
      }
      TRY(Piece piece,
          up.piece(fmt::format("{}experts.{}.weight", blk, matrix), c.n_experts * rows, in_dim));
      piece.first_row = uint64_t{e} * rows;
      piece.n_rows = rows;
      return piece;
    };
    if (fused) {
      TRY(gate_up.emplace_back(), rows_of_expert("gate_up", 2 * dim, c.model_dim));
    } else {
      TRY(gate_up.emplace_back(), rows_of_expert("gate", dim, c.model_dim));
      TRY(gate_up.emplace_back(), rows_of_expert("up", dim, c.model_dim));
    }
    TRY(down.emplace_back(), rows_of_expert("down", c.model_dim, dim));
  }
  TRY(const Piece router, up.piece(blk + "router.weight", c.n_experts, c.model_dim));
  TRY(w.router, up.matrix(blk + "ffn_gate_inp.weight", {router}, c.model_dim));
  TRY(w.experts_gate_up, up.matrix(blk + "ffn_gate_up_exps.weight", gate_up, c.model_dim, 2 * dim));
  TRY(w.experts_down, up.matrix(blk + "ffn_down_exps.weight", down, dim, c.model_dim));
  return {};
}

Result<void> load_ffn(Uploader& up, const Config& c, const std::string& blk, Weights::Layer& w) {
  TRY(w.ffn_gate_up, load_gate_up(up, c, blk));
  TRY(const Piece down, up.piece(blk + "ffn_down.weight", c.model_dim, c.ffn_dim));
  TRY(w.ffn_down, up.matrix(blk + "ffn_down.weight", {down}, c.ffn_dim));
  return {};
}

Result<void> load_norms(Uploader& up, const Config& c, const std::string& blk, Weights::Layer& w) {
  const auto norm = [&](const std::string& name) {
    return up.vector(name, {{name, c.model_dim}}, norm_offset(c));
  };
  TRY(w.attn_norm, norm(blk + "attn_norm.weight"));
  TRY(w.ffn_norm, norm(blk + "ffn_norm.weight"));
  if (!c.gemma_norms) return {};
  TRY(w.post_attn_norm, norm(blk + "post_attn_norm.weight"));
  TRY(w.post_ffn_norm, norm(blk + "post_ffn_norm.weight"));
  return {};
}

Result<Weights::Layer> load_layer(Uploader& up, const Config& c, uint32_t il) {
  const std::string blk = fmt::format("blk.{}.", il);
  Weights::Layer w;
  CHECK_OK(load_norms(up, c, blk, w));
  CHECK_OK(load_attention(up, c, blk, w));
  CHECK_OK(c.n_experts > 0 ? load_experts(up, c, blk, w) : load_ffn(up, c, blk, w));
  return w;
}

}  // namespace

Result<Weights> load_weights(gpu::Device& device, const formats::Checkpoint& checkpoint,
                             formats::Naming naming, const Config& config, WeightStorage storage,
                             const OnBytes& on_bytes) {
  Uploader up(device, checkpoint, naming, storage, on_bytes);
  Weights weights;
  const auto embedding = [&](const std::string& name) -> Result<ops::Matrix> {
    TRY(const Piece rows, up.piece(name, config.vocab_size, config.model_dim));
    return up.matrix(name, {rows}, config.model_dim);
  };
  TRY(weights.token_embd, embedding("token_embd.weight"));
  for (uint32_t il = 0; il < config.n_layers; ++il) {
    TRY(Weights::Layer layer, load_layer(up, config, il));
    weights.layers.push_back(std::move(layer));
  }
  TRY(weights.output_norm,
      up.vector("output_norm.weight", {{"output_norm.weight", config.model_dim}},
                norm_offset(config)));
  weights.output = weights.token_embd;
  if (!config.tied_embeddings) {
    TRY(weights.output, embedding("output.weight"));
  }
  return weights;
}

uint64_t Weights::bytes_per_token(const Config& config) const {
  uint64_t bytes = output_norm.bytes() + output.bytes() + token_embd.bytes() / config.vocab_size;
  for (const Layer& w : layers) {
    for (const gpu::Tensor* t : {&w.attn_norm, &w.attn_qkv_bias, &w.attn_q_norm, &w.attn_k_norm,
                                 &w.post_attn_norm, &w.ffn_norm, &w.post_ffn_norm}) {
      if (t->buffer) bytes += t->bytes();
    }
    for (const ops::Matrix* m :
         {&w.attn_qkv, &w.attn_output, &w.ffn_gate_up, &w.ffn_down, &w.router}) {
      bytes += m->bytes();
    }
    for (const ops::Matrix* m : {&w.experts_gate_up, &w.experts_down}) {
      if (!m->empty()) bytes += m->bytes() / config.n_experts * config.n_experts_used;
    }
  }
  return bytes;
}

}  // namespace handloom::model
