#include "convert/flow.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace handloom::convert {
namespace {

using formats::Config;
using formats::WeightSource;

class Outline {
 public:
  explicit Outline(const WeightSource& source) : source_(source), c_(source.config()) {}

  std::vector<FlowStep> run() {
    add(0, "embed", matrix("token_embd", c_.vocab_size, c_.model_dim) + scaled_embedding());
    add(0, "layers", fmt::format("{} times:", c_.n_layers));
    attention();
    feed_forward();
    add(0, "rms_norm", fmt::format("output_norm, eps {}", c_.norm_eps));
    add(0, "logits",
        c_.tied_embeddings ? "token_embd again (tied)"
                           : matrix("output", c_.vocab_size, c_.model_dim));
    if (c_.final_softcap > 0)
      add(0, "softcap", fmt::format("{0} * tanh(x / {0})", c_.final_softcap));
    return std::move(steps_);
  }

 private:
  void add(uint32_t depth, std::string op, std::string text) {
    steps_.push_back({depth, std::move(op), std::move(text)});
  }

  std::string scaled_embedding() const {
    return c_.embedding_scale == 1 ? "" : fmt::format(", times {}", c_.embedding_scale);
  }

  /// "q4_k", or "q4_k in 20 layers, q6_k in 12".
  std::string types(std::string_view ours) const {
    std::map<DType, uint32_t> counts;
    const bool in_layers = source_.find(fmt::format("{}.weight", ours)) == nullptr;
    for (uint32_t il = 0; il < (in_layers ? c_.n_layers : 1); ++il) {
      const auto* tensor = source_.find(in_layers ? fmt::format("blk.{}.{}.weight", il, ours)
                                                  : fmt::format("{}.weight", ours));
      if (tensor != nullptr) ++counts[tensor->dtype];
    }
    std::string text;
    for (const auto& [dtype, n] : counts) {
      text += fmt::format("{}{}", text.empty() ? "" : ", ", to_string(dtype));
      if (counts.size() > 1) text += fmt::format(" in {}", n);
    }
    if (counts.size() > 1) text += " layers";
    return text.empty() ? "missing" : text;
  }

  std::string matrix(std::string_view ours, uint64_t rows, uint64_t in_dim) const {
    return fmt::format("{} [{}, {}] {}", ours, rows, in_dim, types(ours));
  }

  bool has(std::string_view ours) const {
    return source_.find(fmt::format("blk.0.{}.weight", ours)) != nullptr;
  }

  void attention() {
    add(1, "rms_norm", fmt::format("attn_norm, eps {}", c_.norm_eps));
    const uint64_t dim = c_.model_dim;
    const std::string qkv =
        source_.is_fused("blk.0.", "attn_q")
            ? matrix("attn_qkv", c_.q_dim() + uint64_t{2} * c_.kv_dim(), dim)
            : fmt::format("{}; {}; {}", matrix("attn_q", c_.q_dim(), dim),
                          matrix("attn_k", c_.kv_dim(), dim), matrix("attn_v", c_.kv_dim(), dim));
    add(1, "qkv", qkv + (c_.qkv_bias ? "; biases" : ""));
    if (c_.qk_norm) add(1, "qk_norm", fmt::format("each head of {}", c_.head_dim));
    add(1, "rope", rope());
    add(1, "attention", heads());
    add(1, "output", matrix("attn_output", dim, c_.q_dim()));
    if (c_.gemma_norms) add(1, "rms_norm", "post_attn_norm");
    add(1, "add", "to the residual");
  }

  static std::string rope_text(const formats::Rope& rope) {
    std::string text = fmt::format("theta {}", rope.theta);
    using formats::RopeScaling;
    if (rope.scaling == RopeScaling::none) return text;
    text += fmt::format(", {} scaling", to_string(rope.scaling));
    if (rope.scaling != RopeScaling::divisors) text += fmt::format(" by {}", rope.factor);
    if (rope.original_max_seq_len > 0)
      text += fmt::format(" of {} tokens", rope.original_max_seq_len);
    return text;
  }

  std::string rope() const {
    std::string text = fmt::format("{} dimensions, {}", c_.rope.dim, rope_text(c_.rope));
    if (c_.local_rope) text += fmt::format("; layers with a window: {}", rope_text(*c_.local_rope));
    return text;
  }

  std::string heads() const {
    std::string text = fmt::format("{} heads over {} of keys and values, {} wide, {}", c_.n_heads,
                                   c_.n_kv_heads, c_.head_dim, window());
    const float usual = 1.0f / std::sqrt(static_cast<float>(c_.head_dim));
    if (c_.attention_scale != usual) text += fmt::format(", scale {}", c_.attention_scale);
    if (c_.attn_softcap > 0) text += fmt::format(", scores capped at {}", c_.attn_softcap);
    return text;
  }

  std::string window() const {
    const auto n = std::ranges::count_if(c_.windows, [](uint32_t keys) { return keys > 0; });
    if (n == 0) return "all keys";
    const uint32_t keys = std::ranges::max(c_.windows);
    if (static_cast<uint32_t>(n) == c_.n_layers) return fmt::format("the last {} keys", keys);
    return fmt::format("the last {} keys in {} layers, all keys in {}", keys, n, c_.n_layers - n);
  }

  void feed_forward() {
    add(1, "rms_norm", fmt::format("ffn_norm, eps {}", c_.norm_eps));
    const bool is_silu = c_.activation == formats::Activation::silu;
    const std::string activation = is_silu ? "swiglu" : "geglu";
    const std::string formula = is_silu ? "silu(gate) * up" : "gelu(gate) * up";
    const uint64_t dim = c_.model_dim;
    if (c_.n_experts > 0) {
      experts(activation, formula);
    } else {
      add(1, "gate_up",
          source_.is_fused("blk.0.", "ffn_gate")
              ? matrix("ffn_gate_up", uint64_t{2} * c_.ffn_dim, dim)
              : fmt::format("{}; {}", matrix("ffn_gate", c_.ffn_dim, dim),
                            matrix("ffn_up", c_.ffn_dim, dim)));
      add(1, activation, formula);
      add(1, "down", matrix("ffn_down", dim, c_.ffn_dim));
    }
    if (c_.gemma_norms) add(1, "rms_norm", "post_ffn_norm");
    add(1, "add", "to the residual");
  }

  void experts(const std::string& activation, const std::string& formula) {
    const std::string each = has("experts.gate") ? "" : "0.";
    const auto of_all = [&](std::string_view name, uint64_t rows, uint64_t in_dim) {
      return fmt::format("{} [{}, {}] {}", name, rows, in_dim,
                         types(fmt::format("experts.{}{}", each, name)));
    };
    add(1, "router", matrix("router", c_.n_experts, c_.model_dim));
    add(1, "experts",
        fmt::format("the best {} of {}{}", c_.n_experts_used, c_.n_experts,
                    c_.normalise_experts ? ", shares that add up to 1" : ""));
    add(2, "gate_up",
        fmt::format("{}; {}", of_all("gate", c_.expert_ffn_dim, c_.model_dim),
                    of_all("up", c_.expert_ffn_dim, c_.model_dim)));
    add(2, activation, formula);
    add(2, "down", of_all("down", c_.model_dim, c_.expert_ffn_dim));
  }

  const WeightSource& source_;
  const Config& c_;
  std::vector<FlowStep> steps_;
};

}  // namespace

std::vector<FlowStep> flow_of(const formats::WeightSource& source) { return Outline(source).run(); }

}  // namespace handloom::convert
