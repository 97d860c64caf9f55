// A model's blueprint from its config.json, in the two dialects that Hugging Face checkpoints carry
// (Transformers 4: rope_theta and rope_scaling; Transformers 5: rope_parameters). Everything is
// checked here, against ranges and against itself, so that the rooms above can rely on it; what
// handloom does not compute is refused by name and never ignored.
#pragma once

#include "base/dtype.h"
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::formats {

enum class RopeScaling { none, linear, llama3, longrope, divisors };

std::string_view to_string(RopeScaling scaling);

/// Rotary position embedding: dimension pair i of a head turns by position * inv_freq()[i] radians.
struct Rope {
  float theta = 10000.0f;  // base of the frequencies' geometric series; Llama 3: 500000
  uint32_t dim = 0;        // dimensions of a head that are rotated, even; Llama 3.2 1B: 64
  RopeScaling scaling = RopeScaling::none;

  float factor = 1.0f;  // context is this many times the original (linear, llama3); Llama 3.2: 32
  // The rest is for llama3: wavelengths, in positions, above original_max_seq_len / low_freq_factor
  // are stretched by `factor`; those below original_max_seq_len / high_freq_factor are kept; those
  // between are blended.
  float low_freq_factor = 1.0f;       // Llama 3.2: 1
  float high_freq_factor = 1.0f;      // greater than low_freq_factor; Llama 3.2: 4
  uint32_t original_max_seq_len = 0;  // tokens of the pretraining context; Llama 3.2: 8192
  // The rest is for longrope (Ding et al., "LongRoPE", 2024): divisors of the frequencies, [dim /
  // 2], for contexts up to original_max_seq_len and beyond. Cosines and sines are multiplied by
  // attention_factor. Phi-3-mini-128k: 1.19
  std::vector<float> short_factor = {}, long_factor = {};
  float attention_factor = 1.0f;
  // For divisors, which GGUF files carry: of each frequency, [dim / 2], whatever the context.
  std::vector<float> divisors = {};

  /// f32 [dim / 2], radians per position, the scaling applied; longrope's divisors are those for
  /// `context` tokens. Follows transformers' modeling_rope_utils in the order of its float32 steps;
  /// only the power is taken in double and rounded once, where PyTorch's may differ in the last
  /// bit.
  std::vector<float> inv_freq(uint32_t context = 0) const;

  bool operator==(const Rope&) const = default;
};

/// What is applied to the gate of a feed-forward block.
enum class Activation { silu, gelu_tanh };

/// The examples are Llama 3.2 1B's, where it has the feature.
struct Config {
  std::string architecture;      // model_type: "llama", "qwen3"
  uint32_t model_dim = 0;        // width of the residual stream; 2048
  uint32_t ffn_dim = 0;          // width inside the feed-forward block; 8192
  uint32_t n_layers = 0;         // transformer layers; 16
  uint32_t n_heads = 0;          // query heads; 32
  uint32_t n_kv_heads = 0;       // key and value heads, a divisor of n_heads; 8
  uint32_t head_dim = 0;         // width of one head, even; 64
  uint32_t vocab_size = 0;       // rows of the embedding; 128256
  uint32_t max_seq_len = 0;      // tokens the model was made to see at once; 131072
  float norm_eps = 0;            // added to the mean square in RMSNorm; 1e-5
  bool tied_embeddings = false;  // the output matrix is the embedding; true
  Rope rope;
  std::vector<uint32_t> eos_ids;   // tokens that end a text, all below vocab_size; {128001}
  std::optional<uint32_t> bos_id;  // token that begins a text; 128000

  // What only some families have; each stands at what a Llama means.
  bool fused_projections = false;  // the file holds qkv_proj and gate_up_proj; Phi-3
  bool qkv_bias = false;           // added to queries, keys and values; Qwen 2
  bool qk_norm = false;            // RMSNorm over each query and key head before RoPE; Qwen 3
  bool gemma_norms = false;        // norms multiply by 1 + weight, and follow each block, too
  Activation activation = Activation::silu;
  float attention_scale = 0;           // of a query-key product; 1 / sqrt(head_dim)
  float attn_softcap = 0;              // scores become cap * tanh(score / cap); 0: not; Gemma 2: 50
  float final_softcap = 0;             // the same for the logits; Gemma 2: 30
  float embedding_scale = 1;           // Gemma: sqrt(model_dim)
  std::vector<uint32_t> windows = {};  // [n_layers] keys a layer sees, its own included; 0: all
  std::optional<Rope> local_rope = {};  // of the layers with a window; Gemma 3: theta 10000

  // How a GGUF file's tensors lie, where that is not as in a checkpoint of Hugging Face's.
  bool norms_include_one = false;  // gemma_norms: the file holds 1 + weight already
  bool permuted_qk = false;        // attn_q and attn_k: row [half][j] of a head lies at [j][half]

  uint32_t n_experts = 0;          // feed-forward blocks to choose from; 0: one, always; 128
  uint32_t n_experts_used = 0;     // chosen per token; Qwen3-30B-A3B: 8
  uint32_t expert_ffn_dim = 0;     // width inside an expert; 768
  bool normalise_experts = false;  // the chosen experts' shares add up to 1

  /// Keys that layer `il` sees; 0: all.
  uint32_t window(uint32_t il) const { return windows.empty() ? 0 : windows[il]; }
  /// The rotation of layer `il`.
  const Rope& layer_rope(uint32_t il) const {
    return local_rope && window(il) > 0 ? *local_rope : rope;
  }

  uint32_t q_per_kv() const { return n_heads / n_kv_heads; }  // query heads per KV head
  bool operator==(const Config&) const = default;

  bool is_gqa() const { return n_kv_heads < n_heads; }
  uint32_t q_dim() const { return n_heads * head_dim; }      // width of all query heads
  uint32_t kv_dim() const { return n_kv_heads * head_dim; }  // width of all key (or value) heads

  /// Bytes of K and V that one token adds to the cache, over all layers: f32, f16, or i8 with its
  /// scales.
  uint64_t kv_bytes_per_token(DType kv) const;
  /// Parameters, a tied matrix counted once.
  uint64_t weight_count() const;
};

/// `where` begins every error message. Errors: bad_format (missing, of a wrong type, out of range
/// or contradictory), unsupported (another architecture, or a feature handloom does not compute).
Result<Config> parse_config(std::string_view json, std::string where);

/// Reads `folder`/config.json. Further errors: not_found, io.
Result<Config> load_config(const std::string& folder);

}  // namespace handloom::formats
