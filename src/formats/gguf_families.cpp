#include "formats/gguf_families.h"

#include "formats/names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>

namespace handloom::formats {
namespace {

using Names = std::span<const std::string_view>;

constexpr std::string_view kLlama[] = {"attn_norm.weight", "attn_q.weight",      "attn_k.weight",
                                       "attn_v.weight",    "attn_output.weight", "ffn_norm.weight",
                                       "ffn_gate.weight",  "ffn_down.weight",    "ffn_up.weight"};
constexpr std::string_view kPhi3[] = {"attn_norm.weight", "attn_qkv.weight", "attn_output.weight",
                                      "ffn_norm.weight",  "ffn_up.weight",   "ffn_down.weight"};
constexpr std::string_view kQwen2[] = {"attn_norm.weight", "attn_q.weight",      "attn_k.weight",
                                       "attn_v.weight",    "attn_q.bias",        "attn_k.bias",
                                       "attn_v.bias",      "attn_output.weight", "ffn_norm.weight",
                                       "ffn_gate.weight",  "ffn_down.weight",    "ffn_up.weight"};
constexpr std::string_view kQwen3[] = {
    "attn_norm.weight",   "attn_q.weight",      "attn_k.weight",      "attn_v.weight",
    "attn_q_norm.weight", "attn_k_norm.weight", "attn_output.weight", "ffn_norm.weight",
    "ffn_gate.weight",    "ffn_down.weight",    "ffn_up.weight"};
constexpr std::string_view kQwen3Moe[] = {
    "attn_norm.weight",    "attn_q.weight",        "attn_k.weight",        "attn_v.weight",
    "attn_q_norm.weight",  "attn_k_norm.weight",   "attn_output.weight",   "ffn_norm.weight",
    "ffn_gate_inp.weight", "ffn_gate_exps.weight", "ffn_down_exps.weight", "ffn_up_exps.weight"};
constexpr std::string_view kGemma2[] = {"attn_norm.weight",    "attn_q.weight",
                                        "attn_k.weight",       "attn_v.weight",
                                        "attn_output.weight",  "ffn_norm.weight",
                                        "ffn_gate.weight",     "ffn_down.weight",
                                        "ffn_up.weight",       "post_attention_norm.weight",
                                        "post_ffw_norm.weight"};
constexpr std::string_view kGemma3[] = {"attn_norm.weight",     "attn_q.weight",
                                        "attn_k.weight",        "attn_v.weight",
                                        "attn_output.weight",   "ffn_norm.weight",
                                        "ffn_gate.weight",      "ffn_down.weight",
                                        "ffn_up.weight",        "post_attention_norm.weight",
                                        "post_ffw_norm.weight", "attn_q_norm.weight",
                                        "attn_k_norm.weight"};

constexpr std::array kFamilies = {
    GgufFamily{"llama", "llama", kLlama},
    GgufFamily{"phi3", "phi3", kPhi3},
    GgufFamily{"qwen2", "qwen2", kQwen2},
    GgufFamily{"qwen3", "qwen3", kQwen3},
    GgufFamily{"qwen3moe", "qwen3_moe", kQwen3Moe},
    GgufFamily{"gemma2", "gemma2", kGemma2, 2},
    GgufFamily{"gemma3", "gemma3_text", kGemma3, 6},
};

bool contains(Names names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// Outside the layers.
bool is_known(const GgufFamily& family, std::string_view name) {
  constexpr std::string_view kAll[] = {"token_embd.weight", "output_norm.weight", "output.weight"};
  if (contains(kAll, name)) return true;
  if (name == kRopeFreqs) return family.name == "llama";
  if (name == kRopeFactorsLong || name == kRopeFactorsShort) return family.name == "phi3";
  return false;
}

/// "blk.3.attn_q.weight": 3, and the rest in `rest`.
std::optional<uint32_t> layer_of(std::string_view name, std::string_view& rest) {
  constexpr std::string_view kPrefix = "blk.";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  uint32_t layer = 0;
  const char* end = name.data() + name.size();
  const auto [next, error] = std::from_chars(name.data() + kPrefix.size(), end, layer);
  if (error != std::errc() || next == end || *next != '.') return std::nullopt;
  rest = std::string_view(next + 1, static_cast<size_t>(end - next - 1));
  return layer;
}

}  // namespace

std::string GgufFamily::key(std::string_view suffix) const {
  return fmt::format("{}.{}", name, suffix);
}

Result<const GgufFamily*> find_gguf_family(std::string_view name, const std::string& where) {
  std::string known;
  for (const GgufFamily& family : kFamilies) {
    if (family.name == name) return &family;
    known += known.empty() ? "" : ", ";
    known += family.name;
  }
  return fail(ErrorCode::unsupported,
              "{}: 'general.architecture' is '{}', which is not supported (supported: {})", where,
              printable(name), known);
}

const GgufFamily* gguf_family_of(std::string_view architecture) {
  if (architecture == "mistral") architecture = "llama";
  const auto it = std::ranges::find(kFamilies, architecture, &GgufFamily::architecture);
  return it != kFamilies.end() ? &*it : nullptr;
}

float usual_attention_scale(const GgufFamily& family, const Config& config) {
  // As GGUF's own readers tell them apart, and with their whole division.
  const bool is_27b = (family.name == "gemma2" && config.n_layers == 46) ||
                      (family.name == "gemma3" && config.n_layers == 62);
  const uint32_t dim = is_27b ? config.model_dim / config.n_heads : config.head_dim;
  return 1.0f / std::sqrt(static_cast<float>(std::max(dim, 1u)));
}

Result<void> check_tensor_names(const GgufFamily& family, const Checkpoint& checkpoint,
                                uint32_t n_layers) {
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    std::string_view rest;
    const std::optional<uint32_t> layer = layer_of(tensor.name, rest);
    if (layer && *layer >= n_layers) {
      return fail(ErrorCode::bad_format, "{}: holds tensor '{}', expected layers up to {} ('{}')",
                  checkpoint.where(), printable(tensor.name), n_layers - 1,
                  family.key("block_count"));
    }
    if (layer ? contains(family.layer_tensors, rest) : is_known(family, tensor.name)) continue;
    return fail(ErrorCode::unsupported,
                "{}: holds tensor '{}', which handloom has no use for in a model of architecture "
                "'{}'",
                checkpoint.where(), printable(tensor.name), family.name);
  }
  return {};
}

}  // namespace handloom::formats
