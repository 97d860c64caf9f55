#include "model/weights.h"

#include "base/half.h"

#include <cmath>
#include <cstring>

namespace handloom::model {
namespace {

using formats::TensorInfo;

/// Reads parts of a checkpoint, converts them and uploads them as one tensor.
class Uploader {
 public:
  Uploader(gpu::Device& device, const formats::Checkpoint& checkpoint, WeightStorage storage,
           const OnBytes& on_bytes)
      : device_(device), checkpoint_(checkpoint), storage_(storage), on_bytes_(on_bytes) {
    for (const TensorInfo& t : checkpoint.tensors()) total_bytes_ += t.bytes.size();
  }

  /// A norm's `dim` values as f32, `offset` added.
  Result<gpu::Tensor> norm(std::string name, const std::string& source, uint32_t dim,
                           float offset) {
    TRY(const TensorInfo* part, get(source, {dim}));
    return upload(std::move(name), {part}, DType::f32, {dim}, offset);
  }

  /// Vectors one after the other, as f32.
  Result<gpu::Tensor> bias(std::string name,
                           std::initializer_list<std::pair<std::string, uint32_t>> sources) {
    std::vector<const TensorInfo*> parts;
    uint32_t dim = 0;
    for (const auto& [source, part_dim] : sources) {
      TRY(const TensorInfo* part, get(source, {part_dim}));
      parts.push_back(part);
      dim += part_dim;
    }
    return upload(std::move(name), parts, DType::f32, {dim});
  }

  /// The rows of all sources, one below the other: [sum of rows, in_dim].
  Result<gpu::Tensor> matrix(std::string name,
                             const std::vector<std::pair<std::string, uint32_t>>& sources,
                             uint32_t in_dim) {
    std::vector<const TensorInfo*> parts;
    uint32_t rows = 0;
    for (const auto& [source, part_rows] : sources) {
      TRY(const TensorInfo* part, get(source, {part_rows, in_dim}));
      parts.push_back(part);
      rows += part_rows;
    }
    return upload(std::move(name), parts, storage_type(parts), {rows, in_dim});
  }

 private:
  Result<const TensorInfo*> get(const std::string& source, const Shape& expected) const {
    TRY(const TensorInfo* part, checkpoint_.get(source));
    if (part->shape != expected) {
      return fail(ErrorCode::bad_format, "{}: tensor '{}' has shape {}, the config says {}",
                  checkpoint_.where(), source, to_string(part->shape), to_string(expected));
    }
    if (part->dtype != DType::f32 && part->dtype != DType::f16 && part->dtype != DType::bf16) {
      return fail(ErrorCode::unsupported, "{}: tensor '{}' has type {}, expected f32, f16 or bf16",
                  checkpoint_.where(), source, to_string(part->dtype));
    }
    return part;
  }

  /// Parts of different types meet in f32, which holds all of them exactly.
  DType storage_type(const std::vector<const TensorInfo*>& parts) const {
    if (storage_ == WeightStorage::f16) return DType::f16;
    for (const TensorInfo* part : parts) {
      if (part->dtype != parts.front()->dtype) return DType::f32;
    }
    return parts.front()->dtype;
  }

  Result<gpu::Tensor> upload(std::string name, const std::vector<const TensorInfo*>& parts,
                             DType dtype, const Shape& shape, float offset = 0) {
    TRY(gpu::Tensor tensor,
        device_.create_tensor(std::move(name), dtype, shape, gpu::MemoryKind::weights));
    std::vector<std::byte> bytes;
    bytes.reserve(tensor.bytes());
    for (const TensorInfo* part : parts) {
      CHECK_OK(append(*part, dtype, offset, bytes));
      done_bytes_ += part->bytes.size();
    }
    bytes.resize(tensor.bytes());
    device_.write(tensor, bytes);
    if (on_bytes_) on_bytes_(done_bytes_, total_bytes_);
    return tensor;
  }

  Result<void> append(const TensorInfo& part, DType dtype, float offset,
                      std::vector<std::byte>& out) const {
    if (part.dtype == dtype && offset == 0) {
      out.insert(out.end(), part.bytes.begin(), part.bytes.end());
      return {};
    }
    TRY(std::vector<float> values, formats::to_f32(part));
    for (float& value : values) value += offset;
    if (dtype == DType::f32) {
      const auto raw = std::as_bytes(std::span(values));
      out.insert(out.end(), raw.begin(), raw.end());
      return {};
    }
    return append_f16(part, values, out);
  }

  Result<void> append_f16(const TensorInfo& part, std::span<const float> values,
                          std::vector<std::byte>& out) const {
    std::vector<uint16_t> halves(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      halves[i] = f32_to_f16(values[i]);
      if (std::isfinite(values[i]) && (halves[i] & 0x7fffu) == 0x7c00u) {
        return fail(ErrorCode::unsupported,
                    "{}: tensor '{}' holds {}, f16 reaches 65504; use --precision f32",
                    checkpoint_.where(), part.name, values[i]);
      }
    }
    const auto raw = std::as_bytes(std::span(halves));
    out.insert(out.end(), raw.begin(), raw.end());
    return {};
  }

  gpu::Device& device_;
  const formats::Checkpoint& checkpoint_;
  WeightStorage storage_;
  const OnBytes& on_bytes_;
  uint64_t done_bytes_ = 0;
  uint64_t total_bytes_ = 0;
};

Result<void> load_attention(Uploader& up, const formats::Config& c, const std::string& blk,
                            const std::string& hf, Weights::Layer& w) {
  const std::string attn = hf + "self_attn.";
  const float norm_offset = c.gemma_norms ? 1.0f : 0.0f;
  if (c.fused_projections) {
    TRY(w.attn_qkv,
        up.matrix(blk + "attn_qkv.weight", {{attn + "qkv_proj.weight", c.q_dim() + 2 * c.kv_dim()}},
                  c.model_dim));
  } else {
    TRY(w.attn_qkv, up.matrix(blk + "attn_qkv.weight",
                              {{attn + "q_proj.weight", c.q_dim()},
                               {attn + "k_proj.weight", c.kv_dim()},
                               {attn + "v_proj.weight", c.kv_dim()}},
                              c.model_dim));
  }
  if (c.qkv_bias) {
    TRY(w.attn_qkv_bias, up.bias(blk + "attn_qkv.bias", {{attn + "q_proj.bias", c.q_dim()},
                                                         {attn + "k_proj.bias", c.kv_dim()},
                                                         {attn + "v_proj.bias", c.kv_dim()}}));
  }
  if (c.qk_norm) {
    TRY(w.attn_q_norm,
        up.norm(blk + "attn_q_norm.weight", attn + "q_norm.weight", c.head_dim, norm_offset));
    TRY(w.attn_k_norm,
        up.norm(blk + "attn_k_norm.weight", attn + "k_norm.weight", c.head_dim, norm_offset));
  }
  TRY(w.attn_output,
      up.matrix(blk + "attn_output.weight", {{attn + "o_proj.weight", c.model_dim}}, c.q_dim()));
  return {};
}

Result<void> load_experts(Uploader& up, const formats::Config& c, const std::string& blk,
                          const std::string& hf, Weights::Layer& w) {
  std::vector<std::pair<std::string, uint32_t>> gate_up, down;
  for (uint32_t e = 0; e < c.n_experts; ++e) {
    const std::string expert = fmt::format("{}mlp.experts.{}.", hf, e);
    gate_up.emplace_back(expert + "gate_proj.weight", c.expert_ffn_dim);
    gate_up.emplace_back(expert + "up_proj.weight", c.expert_ffn_dim);
    down.emplace_back(expert + "down_proj.weight", c.model_dim);
  }
  TRY(w.router,
      up.matrix(blk + "ffn_gate_inp.weight", {{hf + "mlp.gate.weight", c.n_experts}}, c.model_dim));
  TRY(w.experts_gate_up, up.matrix(blk + "ffn_gate_up_exps.weight", gate_up, c.model_dim));
  TRY(w.experts_down, up.matrix(blk + "ffn_down_exps.weight", down, c.expert_ffn_dim));
  return {};
}

Result<void> load_ffn(Uploader& up, const formats::Config& c, const std::string& blk,
                      const std::string& hf, Weights::Layer& w) {
  if (c.fused_projections) {
    TRY(w.ffn_gate_up, up.matrix(blk + "ffn_gate_up.weight",
                                 {{hf + "mlp.gate_up_proj.weight", 2 * c.ffn_dim}}, c.model_dim));
  } else {
    TRY(w.ffn_gate_up, up.matrix(blk + "ffn_gate_up.weight",
                                 {{hf + "mlp.gate_proj.weight", c.ffn_dim},
                                  {hf + "mlp.up_proj.weight", c.ffn_dim}},
                                 c.model_dim));
  }
  TRY(w.ffn_down,
      up.matrix(blk + "ffn_down.weight", {{hf + "mlp.down_proj.weight", c.model_dim}}, c.ffn_dim));
  return {};
}

/// Gemma's file calls the norm after attention what others call the one before the feed-forward.
Result<void> load_norms(Uploader& up, const formats::Config& c, const std::string& blk,
                        const std::string& hf, Weights::Layer& w) {
  const auto norm = [&](const char* ours, const char* theirs) {
    return up.norm(blk + ours, hf + theirs, c.model_dim, c.gemma_norms ? 1.0f : 0.0f);
  };
  TRY(w.attn_norm, norm("attn_norm.weight", "input_layernorm.weight"));
  if (!c.gemma_norms) {
    TRY(w.ffn_norm, norm("ffn_norm.weight", "post_attention_layernorm.weight"));
    return {};
  }
  TRY(w.post_attn_norm, norm("post_attn_norm.weight", "post_attention_layernorm.weight"));
  TRY(w.ffn_norm, norm("ffn_norm.weight", "pre_feedforward_layernorm.weight"));
  TRY(w.post_ffn_norm, norm("post_ffn_norm.weight", "post_feedforward_layernorm.weight"));
  return {};
}

Result<Weights::Layer> load_layer(Uploader& up, const formats::Config& c, uint32_t il) {
  const std::string blk = fmt::format("blk.{}.", il);          // our name: GGUF's
  const std::string hf = fmt::format("model.layers.{}.", il);  // the file's: Hugging Face's
  Weights::Layer w;
  CHECK_OK(load_norms(up, c, blk, hf, w));
  CHECK_OK(load_attention(up, c, blk, hf, w));
  CHECK_OK(c.n_experts > 0 ? load_experts(up, c, blk, hf, w) : load_ffn(up, c, blk, hf, w));
  return w;
}

}  // namespace

Result<Weights> load_weights(gpu::Device& device, const formats::Checkpoint& checkpoint,
                             const formats::Config& config, WeightStorage storage,
                             const OnBytes& on_bytes) {
  Uploader up(device, checkpoint, storage, on_bytes);
  Weights weights;
  TRY(weights.token_embd,
      up.matrix("token_embd.weight", {{"model.embed_tokens.weight", config.vocab_size}},
                config.model_dim));
  for (uint32_t il = 0; il < config.n_layers; ++il) {
    TRY(Weights::Layer layer, load_layer(up, config, il));
    weights.layers.push_back(std::move(layer));
  }
  TRY(weights.output_norm, up.norm("output_norm.weight", "model.norm.weight", config.model_dim,
                                   config.gemma_norms ? 1.0f : 0.0f));
  if (config.tied_embeddings) {
    weights.output = weights.token_embd;
  } else {
    TRY(weights.output,
        up.matrix("output.weight", {{"lm_head.weight", config.vocab_size}}, config.model_dim));
  }
  return weights;
}

uint64_t Weights::bytes_per_token(const formats::Config& config) const {
  uint64_t bytes = output_norm.bytes() + output.bytes() +
                   uint64_t{token_embd.dim(1)} * dtype_bytes(token_embd.dtype);
  for (const Layer& w : layers) {
    for (const gpu::Tensor* t : {&w.attn_norm, &w.attn_qkv, &w.attn_qkv_bias, &w.attn_q_norm,
                                 &w.attn_k_norm, &w.attn_output, &w.post_attn_norm, &w.ffn_norm,
                                 &w.ffn_gate_up, &w.ffn_down, &w.post_ffn_norm, &w.router}) {
      if (t->buffer) bytes += t->bytes();
    }
    for (const gpu::Tensor* t : {&w.experts_gate_up, &w.experts_down}) {
      if (t->buffer) bytes += t->bytes() / config.n_experts * config.n_experts_used;
    }
  }
  return bytes;
}

}  // namespace handloom::model
