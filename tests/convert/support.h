// What the tests of this room share: the golden models, and a model's values in one order.
#pragma once

#include "tests/formats/support.h"
#include "tests/support/paths.h"

#include "convert/quantise.h"
#include "formats/model_files.h"
#include "formats/quantised.h"
#include "formats/weight_source.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace handloom::convert {

using formats::expect_error;
using formats::TempFolder;

inline constexpr std::array kModels = {"llama2",      "llama3.2", "phi3",  "phi3-longrope",
                                       "mistral-swa", "qwen2",    "qwen3", "qwen3-moe",
                                       "gemma2",      "gemma3"};

inline std::string golden(std::string_view model) {
  return golden_dir() + "/" + std::string(model);
}

inline QuantiseOptions to_type(std::string type) {
  QuantiseOptions options;
  options.type = std::move(type);
  return options;
}

/// All values of a model under one name each, whichever files hold it: heads in Hugging Face's
/// order, Gemma's norms without their 1.
struct NamedValues {
  std::string name;
  uint32_t in_dim = 0;
  std::vector<float> values;
};

class ValueReader {
 public:
  explicit ValueReader(const formats::ModelFiles& files)
      : source_(files.config, files.checkpoint, files.naming), c_(files.config) {}

  std::vector<NamedValues> all() {
    matrix("token_embd.weight", c_.vocab_size, c_.model_dim);
    if (!c_.tied_embeddings) matrix("output.weight", c_.vocab_size, c_.model_dim);
    norm("output_norm.weight", c_.model_dim);
    for (uint32_t il = 0; il < c_.n_layers; ++il) layer(fmt::format("blk.{}.", il));
    return std::move(all_);
  }

 private:
  void layer(const std::string& blk) {
    norm(blk + "attn_norm.weight", c_.model_dim);
    norm(blk + "ffn_norm.weight", c_.model_dim);
    if (c_.gemma_norms) norm(blk + "post_attn_norm.weight", c_.model_dim);
    if (c_.gemma_norms) norm(blk + "post_ffn_norm.weight", c_.model_dim);
    if (c_.qk_norm) norm(blk + "attn_q_norm.weight", c_.head_dim);
    if (c_.qk_norm) norm(blk + "attn_k_norm.weight", c_.head_dim);
    matrix(blk + "attn_output.weight", c_.model_dim, c_.q_dim());
    if (c_.fused_projections) {
      matrix(blk + "attn_qkv.weight", c_.q_dim() + 2 * c_.kv_dim(), c_.model_dim);
    } else {
      for (const char* kind : {"attn_q", "attn_k", "attn_v"}) part(blk, kind);
    }
    for (const char* kind : {"attn_q", "attn_k", "attn_v"}) {
      if (!c_.qkv_bias) break;
      auto bias = source_.bias(blk, kind);
      ASSERT_TRUE(bias.has_value()) << bias.error().message;
      all_.push_back({fmt::format("{}{}.bias", blk, kind), 1, std::move(*bias)});
    }
    if (c_.n_experts > 0) return experts(blk);
    if (c_.fused_projections) {
      matrix(blk + "ffn_gate_up.weight", 2 * c_.ffn_dim, c_.model_dim);
    } else {
      for (const char* kind : {"ffn_gate", "ffn_up"}) part(blk, kind);
    }
    matrix(blk + "ffn_down.weight", c_.model_dim, c_.ffn_dim);
  }

  void experts(const std::string& blk) {
    matrix(blk + "router.weight", c_.n_experts, c_.model_dim);
    for (uint32_t e = 0; e < c_.n_experts; ++e) {
      for (const char* kind : {"gate", "up", "down"}) {
        add(fmt::format("{}{}.{}", blk, e, kind), source_.expert(blk, e, kind));
      }
    }
  }

  void part(const std::string& blk, std::string_view kind) {
    Result<formats::RowRange> rows = source_.part(blk, kind);
    if (rows && c_.permuted_qk && kind != "attn_v" && kind.starts_with("attn")) {
      rows->order = formats::HeadOrder::to_halves;
      rows->head_dim = c_.head_dim;
    }
    add(fmt::format("{}{}", blk, kind), rows);
  }

  void matrix(const std::string& ours, uint32_t rows, uint32_t in_dim) {
    add(ours, source_.matrix(ours, rows, in_dim));
  }

  void add(std::string name, const Result<formats::RowRange>& rows) {
    ASSERT_TRUE(rows.has_value()) << rows.error().message;
    const Shape& shape = rows->tensor->shape;
    const uint32_t in_dim = shape.dim(shape.rank() - 1);
    std::vector<float> values(rows->n_rows * in_dim);
    for (uint64_t row = 0; row < rows->n_rows; ++row) {
      const auto done = formats::dequantise_rows(*rows->tensor, rows->source_row(row), 1,
                                                 std::span(values).subspan(row * in_dim, in_dim));
      ASSERT_TRUE(done.has_value()) << done.error().message;
    }
    all_.push_back({std::move(name), in_dim, std::move(values)});
  }

  void norm(const std::string& ours, uint32_t dim) {
    auto values = source_.vector(ours, dim);
    ASSERT_TRUE(values.has_value()) << values.error().message;
    if (c_.norms_include_one) {
      for (float& value : *values) value -= 1.0f;
    }
    all_.push_back({ours, dim, std::move(*values)});
  }

  formats::WeightSource source_;
  const formats::Config& c_;
  std::vector<NamedValues> all_;
};

}  // namespace handloom::convert
