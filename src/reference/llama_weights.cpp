#include "reference/llama_weights.h"

#include "reference/round.h"

#include <string>
#include <string_view>

namespace handloom::reference {
namespace {

using formats::Checkpoint;
using formats::TensorInfo;

/// The tensor of that name, which must have that shape.
Result<Host> load(const Checkpoint& checkpoint, const std::string& name, const Shape& shape) {
  TRY(const TensorInfo* const tensor, checkpoint.get(name));
  if (tensor->shape != shape) {
    return fail(ErrorCode::bad_format, "{}: tensor '{}' has shape {}, expected {}",
                checkpoint.where(), name, to_string(tensor->shape), to_string(shape));
  }
  TRY(std::vector<float> values, formats::to_f32(*tensor));
  return Host(shape, std::move(values));
}

/// One matrix of the layer, or several stacked by rows.
struct Part {
  std::string_view name;  // after "model.layers.N." and before ".weight"
  uint32_t n_rows;
};

struct LayerLoader {
  const Checkpoint& checkpoint;
  uint32_t il;
  DType stored_as;

  std::string full_name(std::string_view name) const {
    return fmt::format("model.layers.{}.{}.weight", il, name);
  }

  Result<Host> norm(std::string_view name, uint32_t dim) const {
    return load(checkpoint, full_name(name), {dim});
  }

  /// [sum of n_rows, row_dim]
  Result<Host> matrix(std::initializer_list<Part> parts, uint32_t row_dim) const {
    std::vector<float> values;
    uint32_t n_rows = 0;
    for (const Part& part : parts) {
      TRY(const Host rows, load(checkpoint, full_name(part.name), {part.n_rows, row_dim}));
      values.insert(values.end(), rows.values.begin(), rows.values.end());
      n_rows += part.n_rows;
    }
    round_to(values, stored_as);
    return Host({n_rows, row_dim}, std::move(values));
  }
};

Result<LlamaWeights::Layer> load_layer(const LayerLoader& loader, const formats::Config& config) {
  const uint32_t model_dim = config.model_dim, ffn_dim = config.ffn_dim;
  const uint32_t q_dim = config.q_dim(), kv_dim = config.kv_dim();

  LlamaWeights::Layer w;
  TRY(w.attn_norm, loader.norm("input_layernorm", model_dim));
  TRY(w.attn_qkv,
      loader.matrix(
          {{"self_attn.q_proj", q_dim}, {"self_attn.k_proj", kv_dim}, {"self_attn.v_proj", kv_dim}},
          model_dim));
  TRY(w.attn_output, loader.matrix({{"self_attn.o_proj", model_dim}}, q_dim));
  TRY(w.ffn_norm, loader.norm("post_attention_layernorm", model_dim));
  TRY(w.ffn_gate_up,
      loader.matrix({{"mlp.gate_proj", ffn_dim}, {"mlp.up_proj", ffn_dim}}, model_dim));
  TRY(w.ffn_down, loader.matrix({{"mlp.down_proj", model_dim}}, ffn_dim));
  return w;
}

}  // namespace

Result<LlamaWeights> load_llama_weights(const Checkpoint& checkpoint, const formats::Config& config,
                                        DType stored_as) {
  const Shape embedding = {config.vocab_size, config.model_dim};

  LlamaWeights weights;
  TRY(weights.token_embd, load(checkpoint, "model.embed_tokens.weight", embedding));
  round_to(weights.token_embd.values, stored_as);
  for (uint32_t il = 0; il < config.n_layers; ++il) {
    TRY(LlamaWeights::Layer layer, load_layer({checkpoint, il, stored_as}, config));
    weights.layers.push_back(std::move(layer));
  }
  TRY(weights.output_norm, load(checkpoint, "model.norm.weight", {config.model_dim}));
  if (config.tied_embeddings) {
    weights.output = weights.token_embd;
  } else {
    TRY(weights.output, load(checkpoint, "lm_head.weight", embedding));
    round_to(weights.output.values, stored_as);
  }
  return weights;
}

}  // namespace handloom::reference
