// The architectures that handloom knows under GGUF's names, and which tensors each is made of; the
// reader and the writer of a GGUF's Config share them.
#pragma once

#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/config.h"

#include <span>
#include <string_view>

namespace handloom::formats {

inline constexpr std::string_view kRopeFreqs = "rope_freqs.weight";
inline constexpr std::string_view kRopeFactorsLong = "rope_factors_long.weight";
inline constexpr std::string_view kRopeFactorsShort = "rope_factors_short.weight";

struct GgufFamily {
  std::string_view name;                            // general.architecture: "qwen3moe"
  std::string_view architecture;                    // Config's: "qwen3_moe"
  std::span<const std::string_view> layer_tensors;  // "attn_q.weight", after "blk.0."
  uint32_t window_pattern = 0;  // every how manieth layer sees everything; 0: all layers alike

  bool is_gemma() const { return window_pattern > 0; }
  std::string key(std::string_view suffix) const;  // "qwen3moe.block_count"
};

/// Error: unsupported, with the known ones. `where` begins the message.
Result<const GgufFamily*> find_gguf_family(std::string_view name, const std::string& where);

/// The family of a Config's architecture, or nullptr.
const GgufFamily* gguf_family_of(std::string_view architecture);

/// 1 / sqrt(head_dim), but for the two Gemmas of 27 billion parameters.
float usual_attention_scale(const GgufFamily& family, const Config& config);

/// Refuses a tensor that this family does not compute with: a bias, a norm, an adapter's.
Result<void> check_tensor_names(const GgufFamily& family, const Checkpoint& checkpoint,
                                uint32_t n_layers);

}  // namespace handloom::formats
