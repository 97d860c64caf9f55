#include "convert/plan.h"

#include "formats/gguf_config.h"
#include "formats/names.h"

#include <algorithm>
#include <map>

namespace handloom::convert {
namespace {

using formats::Config;
using formats::HeadOrder;
using formats::Naming;
using formats::RowRange;
using formats::WeightSource;

/// Adds one tensor after the other.
class Planner {
 public:
  Planner(const WeightSource& source, const PlanOptions& options)
      : source_(source), config_(source.config()), options_(options) {}

  Result<TensorPlan> run() {
    CHECK_OK(add_embedding("token_embd"));
    for (uint32_t il = 0; il < config_.n_layers; ++il) CHECK_OK(add_layer(il));
    CHECK_OK(add_norm("output_norm.weight", config_.model_dim));
    if (!config_.tied_embeddings) CHECK_OK(add_embedding("output"));
    if (is_gguf()) {
      for (formats::RopeTensor& rope : formats::rope_tensors(config_)) {
        add_vector(std::move(rope.name), std::move(rope.values));
      }
    }
    for (const auto& [text, n] : fallbacks_) {
      plan_.notes.push_back(fmt::format("{} ({} of the tensors)", text, n));
    }
    return std::move(plan_);
  }

 private:
  bool is_gguf() const { return options_.naming == Naming::gguf; }

  /// The first name is the one for a Gemma, where names depend on that.
  std::string name_of(std::string_view ours) const {
    const auto names = formats::names_in_file(options_.naming, ours);
    return config_.gemma_norms ? names.front() : names.back();
  }

  Result<void> add_embedding(std::string_view kind) {
    const std::string name = fmt::format("{}.weight", kind);
    TRY(const RowRange rows, source_.matrix(name, config_.vocab_size, config_.model_dim));
    return add_matrix(name, kind, 0, {rows}, {config_.vocab_size, config_.model_dim});
  }

  Result<void> add_layer(uint32_t il) {
    const std::string blk = fmt::format("blk.{}.", il);
    CHECK_OK(add_norm(blk + "attn_norm.weight", config_.model_dim));
    CHECK_OK(add_attention(blk, il));
    if (config_.gemma_norms) CHECK_OK(add_norm(blk + "post_attn_norm.weight", config_.model_dim));
    CHECK_OK(add_norm(blk + "ffn_norm.weight", config_.model_dim));
    CHECK_OK(config_.n_experts > 0 ? add_experts(blk, il) : add_ffn(blk, il));
    if (config_.gemma_norms) CHECK_OK(add_norm(blk + "post_ffn_norm.weight", config_.model_dim));
    return {};
  }

  Result<void> add_attention(const std::string& blk, uint32_t il) {
    const Config& c = config_;
    if (c.fused_projections) {
      const uint32_t rows = c.q_dim() + 2 * c.kv_dim();
      TRY(const RowRange qkv, source_.matrix(blk + "attn_qkv.weight", rows, c.model_dim));
      CHECK_OK(add_matrix(blk + "attn_qkv.weight", "attn_qkv", il, {qkv}, {rows, c.model_dim}));
    } else {
      for (const char* kind : {"attn_q", "attn_k", "attn_v"}) CHECK_OK(add_part(blk, kind, il));
    }
    if (c.qkv_bias) {
      for (const char* kind : {"attn_q", "attn_k", "attn_v"}) {
        TRY(std::vector<float> bias, source_.bias(blk, kind));
        add_vector(name_of(fmt::format("{}{}.bias", blk, kind)), std::move(bias));
      }
    }
    if (c.qk_norm) {
      CHECK_OK(add_norm(blk + "attn_q_norm.weight", c.head_dim));
      CHECK_OK(add_norm(blk + "attn_k_norm.weight", c.head_dim));
    }
    TRY(const RowRange output, source_.matrix(blk + "attn_output.weight", c.model_dim, c.q_dim()));
    return add_matrix(blk + "attn_output.weight", "attn_output", il, {output},
                      {c.model_dim, c.q_dim()});
  }

  /// One of several matrices that a source may hold as one.
  Result<void> add_part(const std::string& blk, std::string_view kind, uint32_t il) {
    TRY(RowRange rows, source_.part(blk, kind));
    if (kind == "attn_q" || kind == "attn_k") {
      rows.head_dim = config_.head_dim;
      rows.order = head_order();
    }
    const Shape shape{static_cast<uint32_t>(rows.n_rows), config_.model_dim};
    return add_matrix(fmt::format("{}{}.weight", blk, kind), kind, il, {rows}, shape);
  }

  HeadOrder head_order() const {
    const bool is_llama = config_.architecture == "llama" || config_.architecture == "mistral";
    const bool pairs = is_gguf() && is_llama;
    if (pairs == config_.permuted_qk) return HeadOrder::same;
    return pairs ? HeadOrder::to_pairs : HeadOrder::to_halves;
  }

  Result<void> add_ffn(const std::string& blk, uint32_t il) {
    const Config& c = config_;
    if (c.fused_projections) {
      const uint32_t rows = 2 * c.ffn_dim;
      TRY(const RowRange both, source_.matrix(blk + "ffn_gate_up.weight", rows, c.model_dim));
      CHECK_OK(add_matrix(blk + "ffn_gate_up.weight", "ffn_up", il, {both}, {rows, c.model_dim}));
    } else {
      for (const char* kind : {"ffn_gate", "ffn_up"}) CHECK_OK(add_part(blk, kind, il));
    }
    TRY(const RowRange down, source_.matrix(blk + "ffn_down.weight", c.model_dim, c.ffn_dim));
    return add_matrix(blk + "ffn_down.weight", "ffn_down", il, {down}, {c.model_dim, c.ffn_dim});
  }

  Result<void> add_experts(const std::string& blk, uint32_t il) {
    const Config& c = config_;
    TRY(const RowRange router, source_.matrix(blk + "router.weight", c.n_experts, c.model_dim));
    plan_.tensors.push_back({.name = name_of(blk + "router.weight"),
                             .dtype = DType::f32,
                             .shape = {c.n_experts, c.model_dim},
                             .rows = {router}});
    for (const std::string_view matrix : {"gate", "up", "down"}) {
      const bool is_down = matrix == "down";
      const uint32_t rows = is_down ? c.model_dim : c.expert_ffn_dim;
      const uint32_t in_dim = is_down ? c.expert_ffn_dim : c.model_dim;
      const std::string kind = fmt::format("ffn_{}_exps", matrix);
      std::vector<RowRange> all;
      for (uint32_t e = 0; e < c.n_experts; ++e) {
        TRY(const RowRange own, source_.expert(blk, e, matrix));
        all.push_back(own);
        if (is_gguf()) continue;
        CHECK_OK(add_matrix(fmt::format("{}experts.{}.{}.weight", blk, e, matrix), kind, il, {own},
                            {rows, in_dim}));
      }
      if (!is_gguf()) continue;
      CHECK_OK(add_matrix(fmt::format("{}experts.{}.weight", blk, matrix), kind, il, std::move(all),
                          {c.n_experts, rows, in_dim}));
    }
    return {};
  }

  Result<void> add_matrix(std::string_view ours, std::string_view kind, uint32_t il,
                          std::vector<RowRange> rows, const Shape& shape) {
    for (const RowRange& range : rows) CHECK_OK(check_readable(*range.tensor));
    const uint32_t in_dim = shape.dim(shape.rank() - 1);
    const Choice choice = choose_type(options_.recipe, options_.block,
                                      {.kind = kind,
                                       .layer = il,
                                       .n_layers = config_.n_layers,
                                       .n_experts = config_.n_experts,
                                       .tied = config_.tied_embeddings,
                                       .in_dim = in_dim});
    if (choice.dtype != choice.wanted) {
      ++fallbacks_[fmt::format("{}: rows of {} are no whole number of {} blocks, {} it is", kind,
                               in_dim, to_string(choice.wanted), to_string(choice.dtype))];
    }
    if (choice.group > 0 && choice.group != options_.block) {
      ++fallbacks_[fmt::format("{}: rows of {} are no whole number of blocks of {}, {} it is", kind,
                               in_dim, options_.block, choice.group)];
    }
    plan_.tensors.push_back({.name = name_of(ours),
                             .dtype = choice.dtype,
                             .shape = shape,
                             .group = choice.group,
                             .rows = std::move(rows)});
    return {};
  }

  Result<void> check_readable(const formats::TensorInfo& t) const {
    if (is_float(t.dtype) || is_quantised(t.dtype)) return {};
    return fail(ErrorCode::unsupported,
                "tensor '{}' has type {}, expected f32, f16, bf16 or a quantised type",
                formats::printable(t.name), to_string(t.dtype));
  }

  Result<void> add_norm(std::string_view ours, uint32_t dim) {
    TRY(std::vector<float> values, source_.vector(ours, dim));
    if (config_.gemma_norms && config_.norms_include_one != is_gguf()) {
      for (float& value : values) value += is_gguf() ? 1.0f : -1.0f;
    }
    add_vector(name_of(ours), std::move(values));
    return {};
  }

  void add_vector(std::string name, std::vector<float> values) {
    const Shape shape{static_cast<uint32_t>(values.size())};
    plan_.tensors.push_back({.name = std::move(name),
                             .dtype = DType::f32,
                             .shape = shape,
                             .rows = {},
                             .values = std::move(values)});
  }

  const WeightSource& source_;
  const Config& config_;
  const PlanOptions& options_;
  TensorPlan plan_;
  std::map<std::string, uint32_t> fallbacks_;
};

}  // namespace

Result<TensorPlan> plan_tensors(const formats::WeightSource& source, const PlanOptions& options) {
  return Planner(source, options).run();
}

}  // namespace handloom::convert
