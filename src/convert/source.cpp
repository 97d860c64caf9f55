#include "convert/source.h"

#include "formats/mlc_names.h"
#include "formats/names.h"
#include "formats/quantised.h"

#include <array>

namespace handloom::convert {
namespace {

using formats::Config;
using formats::TensorInfo;

/// A matrix and its place among the rows of the one that holds it and others.
struct Part {
  std::string_view ours, whole;
  uint64_t first_row = 0, n_rows = 0, whole_rows = 0;
};

/// `ours` without its ending: "attn_q".
Part part_of(const Config& c, std::string_view ours) {
  const uint64_t q = c.q_dim(), kv = c.kv_dim(), ffn = c.ffn_dim;
  const std::array parts = {Part{"attn_q", "attn_qkv", 0, q, q + 2 * kv},
                            Part{"attn_k", "attn_qkv", q, kv, q + 2 * kv},
                            Part{"attn_v", "attn_qkv", q + kv, kv, q + 2 * kv},
                            Part{"ffn_gate", "ffn_gate_up", 0, ffn, 2 * ffn},
                            Part{"ffn_up", "ffn_gate_up", ffn, ffn, 2 * ffn}};
  for (const Part& part : parts) {
    if (part.ours == ours) return part;
  }
  return {};
}

uint64_t rows_of(const TensorInfo& t) {
  const uint32_t in_dim = t.shape.rank() == 0 ? 0 : t.shape.dim(t.shape.rank() - 1);
  return in_dim == 0 ? 0 : t.shape.count() / in_dim;
}

Result<RowRange> all_rows(const TensorInfo& tensor, const std::string& where, uint64_t n_rows,
                          uint32_t in_dim) {
  const Shape& shape = tensor.shape;
  if (shape.rank() == 0 || shape.dim(shape.rank() - 1) != in_dim || rows_of(tensor) != n_rows) {
    return fail(ErrorCode::bad_format,
                "{}: tensor '{}' has shape {}, expected {} rows of {} as the config says", where,
                formats::printable(tensor.name), to_string(shape), n_rows, in_dim);
  }
  return RowRange{.tensor = &tensor, .n_rows = n_rows};
}

}  // namespace

const TensorInfo* Source::find(std::string_view ours) const {
  for (const std::string& name : formats::names_in_file(files_.naming, ours)) {
    if (const TensorInfo* tensor = files_.checkpoint.find(name)) return tensor;
  }
  return nullptr;
}

Result<RowRange> Source::matrix(std::string_view ours, uint64_t n_rows, uint32_t in_dim) const {
  const TensorInfo* tensor = find(ours);
  if (tensor == nullptr) {
    TRY(tensor, files_.checkpoint.get(formats::names_in_file(files_.naming, ours).back()));
  }
  return all_rows(*tensor, files_.checkpoint.where(), n_rows, in_dim);
}

Result<RowRange> Source::part(const std::string& blk, std::string_view ours) const {
  const Config& c = config();
  const Part part = part_of(c, ours);
  const std::string own = fmt::format("{}{}.weight", blk, ours);
  const std::string whole = fmt::format("{}{}.weight", blk, part.whole);
  if (find(own) != nullptr || find(whole) == nullptr) return matrix(own, part.n_rows, c.model_dim);
  TRY(RowRange range, matrix(whole, part.whole_rows, c.model_dim));
  range.first_row = part.first_row;
  range.n_rows = part.n_rows;
  return range;
}

Result<RowRange> Source::expert(const std::string& blk, uint32_t expert,
                                std::string_view matrix_name) const {
  const Config& c = config();
  if (files_.naming == formats::Naming::mlc) return expert_in_mlc(blk, expert, matrix_name);
  const bool is_down = matrix_name == "down";
  const uint32_t rows = is_down ? c.model_dim : c.expert_ffn_dim;
  const uint32_t in_dim = is_down ? c.expert_ffn_dim : c.model_dim;
  const std::string stacked = fmt::format("{}experts.{}.weight", blk, matrix_name);
  if (find(stacked) == nullptr) {
    return matrix(fmt::format("{}experts.{}.{}.weight", blk, expert, matrix_name), rows, in_dim);
  }
  TRY(RowRange range, matrix(stacked, uint64_t{c.n_experts} * rows, in_dim));
  range.first_row = uint64_t{expert} * rows;
  range.n_rows = rows;
  return range;
}

/// MLC stacks the experts, gate above up.
Result<RowRange> Source::expert_in_mlc(const std::string& blk, uint32_t expert,
                                       std::string_view matrix_name) const {
  const Config& c = config();
  const bool is_down = matrix_name == "down";
  const uint32_t rows = is_down ? c.model_dim : c.expert_ffn_dim;
  const uint32_t in_dim = is_down ? c.expert_ffn_dim : c.model_dim;
  const uint64_t unit = is_down ? rows : 2 * uint64_t{rows};
  const auto names = formats::mlc_names(blk + (is_down ? "experts.down" : "experts.gate_up") +
                                        std::string(".weight"));
  const TensorInfo* tensor = nullptr;
  for (const std::string& name : names) {
    if (tensor == nullptr) tensor = files_.checkpoint.find(name);
  }
  if (tensor == nullptr) {
    TRY(tensor, files_.checkpoint.get(names.front()));
  }
  TRY(RowRange range, all_rows(*tensor, files_.checkpoint.where(), c.n_experts * unit, in_dim));
  range.first_row = expert * unit + (matrix_name == "up" ? rows : 0);
  range.n_rows = rows;
  return range;
}

Result<std::vector<float>> Source::vector(std::string_view ours, uint32_t dim) const {
  TRY(const RowRange range, matrix(ours, 1, dim));
  return formats::to_f32(*range.tensor);
}

Result<std::vector<float>> Source::bias(const std::string& blk, std::string_view ours) const {
  const Part part = part_of(config(), ours);
  const std::string own = fmt::format("{}{}.bias", blk, ours);
  const std::string whole = fmt::format("{}{}.bias", blk, part.whole);
  if (find(own) != nullptr || find(whole) == nullptr) {
    return vector(own, static_cast<uint32_t>(part.n_rows));
  }
  TRY(const std::vector<float> all, vector(whole, static_cast<uint32_t>(part.whole_rows)));
  const auto first = all.begin() + static_cast<ptrdiff_t>(part.first_row);
  return std::vector<float>(first, first + static_cast<ptrdiff_t>(part.n_rows));
}

}  // namespace handloom::convert
