#include "formats/tensor_names.h"

#include "formats/mlc_names.h"

#include <fmt/format.h>

#include <array>

namespace handloom::formats {
namespace {

struct NamePair {
  std::string_view ours, theirs;
};

constexpr std::array kHuggingFace = {
    NamePair{"token_embd.weight", "model.embed_tokens.weight"},
    NamePair{"output_norm.weight", "model.norm.weight"},
    NamePair{"output.weight", "lm_head.weight"},
};

/// After "blk.N." and "model.layers.N.".
constexpr std::array kHuggingFaceLayer = {
    NamePair{"attn_norm.weight", "input_layernorm.weight"},
    NamePair{"attn_qkv.weight", "self_attn.qkv_proj.weight"},
    NamePair{"attn_q.weight", "self_attn.q_proj.weight"},
    NamePair{"attn_k.weight", "self_attn.k_proj.weight"},
    NamePair{"attn_v.weight", "self_attn.v_proj.weight"},
    NamePair{"attn_q.bias", "self_attn.q_proj.bias"},
    NamePair{"attn_k.bias", "self_attn.k_proj.bias"},
    NamePair{"attn_v.bias", "self_attn.v_proj.bias"},
    NamePair{"attn_q_norm.weight", "self_attn.q_norm.weight"},
    NamePair{"attn_k_norm.weight", "self_attn.k_norm.weight"},
    NamePair{"attn_output.weight", "self_attn.o_proj.weight"},
    NamePair{"post_attn_norm.weight", "post_attention_layernorm.weight"},  // Gemma
    NamePair{"ffn_norm.weight", "post_attention_layernorm.weight"},
    NamePair{"ffn_gate_up.weight", "mlp.gate_up_proj.weight"},
    NamePair{"ffn_gate.weight", "mlp.gate_proj.weight"},
    NamePair{"ffn_up.weight", "mlp.up_proj.weight"},
    NamePair{"ffn_down.weight", "mlp.down_proj.weight"},
    NamePair{"post_ffn_norm.weight", "post_feedforward_layernorm.weight"},  // Gemma
    NamePair{"router.weight", "mlp.gate.weight"},
};

constexpr std::array kGgufLayer = {
    NamePair{"post_attn_norm.weight", "post_attention_norm.weight"},
    NamePair{"post_ffn_norm.weight", "post_ffw_norm.weight"},
    NamePair{"ffn_gate_up.weight", "ffn_up.weight"},  // Phi-3: with twice the rows
    NamePair{"router.weight", "ffn_gate_inp.weight"},
    NamePair{"experts.gate.weight", "ffn_gate_exps.weight"},
    NamePair{"experts.up.weight", "ffn_up_exps.weight"},
    NamePair{"experts.down.weight", "ffn_down_exps.weight"},
};

template <size_t n>
std::string_view look_up(const std::array<NamePair, n>& table, std::string_view ours) {
  for (const NamePair& pair : table) {
    if (pair.ours == ours) return pair.theirs;
  }
  return ours;
}

/// "blk.3.attn_q.weight" is layer "3" and "attn_q.weight"; other names have no layer.
struct Split {
  std::string_view layer, rest;
};

Split split(std::string_view ours) {
  constexpr std::string_view kPrefix = "blk.";
  if (!ours.starts_with(kPrefix)) return {"", ours};
  const size_t dot = ours.find('.', kPrefix.size());
  return {ours.substr(kPrefix.size(), dot - kPrefix.size()), ours.substr(dot + 1)};
}

std::string hugging_face_name(std::string_view ours) {
  const auto [layer, rest] = split(ours);
  if (layer.empty()) return std::string(look_up(kHuggingFace, ours));
  constexpr std::string_view kExperts = "experts.";
  if (rest.starts_with(kExperts)) {  // experts.5.gate.weight
    const size_t dot = rest.find('.', kExperts.size());
    const size_t end = rest.find('.', dot + 1);
    return fmt::format("model.layers.{}.mlp.{}_proj.weight", layer, rest.substr(0, end));
  }
  return fmt::format("model.layers.{}.{}", layer, look_up(kHuggingFaceLayer, rest));
}

std::string gguf_name(std::string_view ours) {
  const auto [layer, rest] = split(ours);
  if (layer.empty()) return std::string(ours);
  return fmt::format("blk.{}.{}", layer, look_up(kGgufLayer, rest));
}

}  // namespace

std::vector<std::string> names_in_file(Naming naming, std::string_view ours) {
  switch (naming) {
    case Naming::gguf: return {gguf_name(ours)};
    case Naming::mlc:
      if (std::vector<std::string> names = mlc_names(ours); !names.empty()) return names;
      break;
    case Naming::hugging_face: break;
  }
  const auto [layer, rest] = split(ours);
  if (rest == "ffn_norm.weight") {
    // Where Gemma has a norm of this name after attention, that before the feed-forward has
    // another.
    return {fmt::format("model.layers.{}.pre_feedforward_layernorm.weight", layer),
            hugging_face_name(ours)};
  }
  return {hugging_face_name(ours)};
}

}  // namespace handloom::formats
