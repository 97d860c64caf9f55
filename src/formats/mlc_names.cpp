#include "formats/mlc_names.h"

#include <fmt/format.h>

#include <span>

namespace handloom::formats {
namespace {

/// One of MLC's names for one of ours; both without what comes before the layer's own part.
struct Entry {
  std::string_view ours, theirs;
};

constexpr std::string_view kLanguageModel = "language_model.";  // Gemma 3's

constexpr Entry kWholeModel[] = {
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight"},
};

constexpr Entry kPhi3Model[] = {
    {"token_embd.weight", "transformer.embd.weight"},
    {"output_norm.weight", "transformer.norm.weight"},
};

/// Within model.layers.N. Where ours has two of theirs, the one that fewer models have stands
/// first.
constexpr Entry kLayer[] = {
    {"attn_norm.weight", "input_layernorm.weight"},
    {"attn_qkv.weight", "self_attn.c_attn.weight"},  // Qwen
    {"attn_qkv.weight", "self_attn.qkv_proj.weight"},
    {"attn_qkv.bias", "self_attn.qkv_proj.bias"},
    {"attn_qkv.bias", "self_attn.c_attn.bias"},
    {"attn_q.weight", "self_attn.q_proj.weight"},
    {"attn_k.weight", "self_attn.k_proj.weight"},
    {"attn_v.weight", "self_attn.v_proj.weight"},
    {"attn_q_norm.weight", "self_attn.q_norm.weight"},
    {"attn_k_norm.weight", "self_attn.k_norm.weight"},
    {"attn_output.weight", "self_attn.o_proj.weight"},
    {"post_attn_norm.weight", "post_attention_layernorm.weight"},
    {"ffn_norm.weight", "pre_feedforward_layernorm.weight"},  // Gemma
    {"ffn_norm.weight", "post_attention_layernorm.weight"},
    {"post_ffn_norm.weight", "post_feedforward_layernorm.weight"},
    {"ffn_gate_up.weight", "mlp.gate_up_proj.weight"},
    {"ffn_down.weight", "mlp.down_proj.weight"},
    {"router.weight", "mlp.gate.weight"},
    {"experts.gate_up.weight", "mlp.moe_gate_up_proj.weight"},
    {"experts.down.weight", "mlp.moe_down_proj.weight"},
};

/// Within transformer.h.N.
constexpr Entry kPhi3Layer[] = {
    {"attn_norm.weight", "ln.weight"},
    {"attn_qkv.weight", "mixer.qkv_proj.weight"},
    {"attn_output.weight", "mixer.out_proj.weight"},
    {"ffn_norm.weight", "post_attention_layernorm.weight"},
    {"ffn_gate_up.weight", "mlp.gate_up_proj.weight"},
    {"ffn_down.weight", "mlp.down_proj.weight"},
};

void append(std::span<const Entry> entries, std::string_view ours, std::string_view before,
            std::vector<std::string>& names) {
  for (const Entry& entry : entries) {
    if (entry.ours == ours) names.push_back(fmt::format("{}{}", before, entry.theirs));
  }
}

}  // namespace

std::vector<std::string> mlc_names(std::string_view canonical) {
  std::vector<std::string> names;
  constexpr std::string_view kBlock = "blk.";
  const size_t dot = canonical.find('.', kBlock.size());
  if (!canonical.starts_with(kBlock) || dot == std::string_view::npos) {
    append(kWholeModel, canonical, kLanguageModel, names);
    append(kPhi3Model, canonical, "", names);
    append(kWholeModel, canonical, "", names);
    return names;
  }
  const std::string_view number = canonical.substr(kBlock.size(), dot - kBlock.size());
  const std::string_view ours = canonical.substr(dot + 1);
  append(kLayer, ours, fmt::format("{}model.layers.{}.", kLanguageModel, number), names);
  append(kPhi3Layer, ours, fmt::format("transformer.h.{}.", number), names);
  append(kLayer, ours, fmt::format("model.layers.{}.", number), names);
  return names;
}

}  // namespace handloom::formats
