#include "model/weights.h"

#include "formats/weight_source.h"

#include <array>

namespace handloom::model {
namespace {

using formats::Config;
using formats::ElementRange;
using formats::RowRange;

/// Puts the tensors of the file together as Weights has them.
class Loader {
 public:
  Loader(const formats::WeightSource& source, Uploader& uploader)
      : source_(source), config_(source.config()), uploader_(uploader) {}

  Result<Weights> run() {
    const Config& c = config_;
    Weights weights;
    TRY(weights.token_embd, matrix("token_embd.weight", c.vocab_size, c.model_dim));
    for (uint32_t il = 0; il < c.n_layers; ++il) {
      TRY(Weights::Layer layer, load_layer(fmt::format("blk.{}.", il)));
      weights.layers.push_back(std::move(layer));
    }
    TRY(weights.output_norm, norm("output_norm.weight", c.model_dim));
    weights.output = weights.token_embd;
    if (!c.tied_embeddings) {
      TRY(weights.output, matrix("output.weight", c.vocab_size, c.model_dim));
    }
    return weights;
  }

 private:
  Result<Weights::Layer> load_layer(const std::string& blk) {
    Weights::Layer w;
    CHECK_OK(load_norms(blk, w));
    CHECK_OK(load_attention(blk, w));
    CHECK_OK(config_.n_experts > 0 ? load_experts(blk, w) : load_ffn(blk, w));
    return w;
  }

  Result<void> load_norms(const std::string& blk, Weights::Layer& w) {
    const uint32_t dim = config_.model_dim;
    TRY(w.attn_norm, norm(blk + "attn_norm.weight", dim));
    TRY(w.ffn_norm, norm(blk + "ffn_norm.weight", dim));
    if (!config_.gemma_norms) return {};
    TRY(w.post_attn_norm, norm(blk + "post_attn_norm.weight", dim));
    TRY(w.post_ffn_norm, norm(blk + "post_ffn_norm.weight", dim));
    return {};
  }

  Result<void> load_attention(const std::string& blk, Weights::Layer& w) {
    const Config& c = config_;
    std::array<RowRange, 3> qkv;
    for (size_t i = 0; i < 3; ++i) {
      TRY(qkv[i], source_.part(blk, kQkv[i]));
    }
    if (c.permuted_qk) {
      for (RowRange* heads : {&qkv[0], &qkv[1]}) {
        heads->order = formats::HeadOrder::to_halves;
        heads->head_dim = c.head_dim;
      }
    }
    TRY(w.attn_qkv, uploader_.matrix(blk + "attn_qkv.weight", qkv, c.model_dim));
    if (c.qkv_bias) {
      TRY(w.attn_qkv_bias, qkv_bias(blk));
    }
    if (c.qk_norm) {
      TRY(w.attn_q_norm, norm(blk + "attn_q_norm.weight", c.head_dim));
      TRY(w.attn_k_norm, norm(blk + "attn_k_norm.weight", c.head_dim));
    }
    TRY(w.attn_output, matrix(blk + "attn_output.weight", c.model_dim, c.q_dim()));
    return {};
  }

  Result<gpu::Tensor> qkv_bias(const std::string& blk) {
    std::array<ElementRange, 3> biases;
    for (size_t i = 0; i < 3; ++i) {
      TRY(biases[i], source_.bias_range(blk, kQkv[i]));
    }
    return uploader_.vector(blk + "attn_qkv.bias", biases);
  }

  Result<void> load_ffn(const std::string& blk, Weights::Layer& w) {
    const Config& c = config_;
    TRY(const RowRange gate, source_.part(blk, "ffn_gate"));
    TRY(const RowRange up, source_.part(blk, "ffn_up"));
    TRY(w.ffn_gate_up,
        uploader_.matrix(blk + "ffn_gate_up.weight", std::array{gate, up}, c.model_dim));
    TRY(w.ffn_down, matrix(blk + "ffn_down.weight", c.model_dim, c.ffn_dim));
    return {};
  }

  /// Expert after expert, gate above up.
  Result<void> load_experts(const std::string& blk, Weights::Layer& w) {
    const Config& c = config_;
    std::vector<RowRange> gate_up, down;
    for (uint32_t e = 0; e < c.n_experts; ++e) {
      TRY(gate_up.emplace_back(), source_.expert(blk, e, "gate"));
      TRY(gate_up.emplace_back(), source_.expert(blk, e, "up"));
      TRY(down.emplace_back(), source_.expert(blk, e, "down"));
    }
    TRY(const RowRange router, source_.matrix(blk + "router.weight", c.n_experts, c.model_dim));
    TRY(w.router, uploader_.matrix(blk + "ffn_gate_inp.weight", {&router, 1}, c.model_dim));
    TRY(w.experts_gate_up, uploader_.matrix(blk + "ffn_gate_up_exps.weight", gate_up, c.model_dim,
                                            2 * c.expert_ffn_dim));
    TRY(w.experts_down,
        uploader_.matrix(blk + "ffn_down_exps.weight", down, c.expert_ffn_dim, c.model_dim));
    return {};
  }

  /// One tensor of the file, under the same name.
  Result<ops::Matrix> matrix(const std::string& name, uint32_t n_rows, uint32_t in_dim) {
    TRY(const RowRange rows, source_.matrix(name, n_rows, in_dim));
    return uploader_.matrix(name, {&rows, 1}, in_dim);
  }

  Result<gpu::Tensor> norm(const std::string& name, uint32_t dim) {
    TRY(const ElementRange values, source_.vector_range(name, dim));
    const bool adds_one = config_.gemma_norms && !config_.norms_include_one;
    return uploader_.vector(name, {&values, 1}, adds_one ? 1.0f : 0.0f);
  }

  static constexpr std::array<std::string_view, 3> kQkv = {"attn_q", "attn_k", "attn_v"};

  const formats::WeightSource& source_;
  const Config& config_;
  Uploader& uploader_;
};

}  // namespace

Result<Weights> load_weights(gpu::Device& device, const formats::Checkpoint& checkpoint,
                             formats::Naming naming, const Config& config, WeightStorage storage,
                             Uploads& uploads) {
  const formats::WeightSource source(config, checkpoint, naming);
  Uploader uploader(device, checkpoint, storage, uploads);
  return Loader(source, uploader).run();
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
