#include "formats/weight_source.h"

#include "formats/names.h"

#include <array>

namespace handloom::formats {
namespace {

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

/// `tensor` as rows of in_dim values, if it has so many.
Result<RowRange> all_rows(const TensorInfo& tensor, const std::string& where, uint64_t n_rows,
                          uint32_t in_dim) {
  const Shape& shape = tensor.shape;
  if (shape.rank() == 0 || shape.dim(shape.rank() - 1) != in_dim || tensor.n_rows() != n_rows) {
    const bool is_vector = n_rows == 1 && shape.rank() < 2;
    return fail(ErrorCode::bad_format, "{}: tensor '{}' has shape {}, the config says {}", where,
                printable(tensor.name), to_string(shape),
                is_vector ? fmt::format("[{}]", in_dim) : fmt::format("[{}, {}]", n_rows, in_dim));
  }
  return RowRange{.tensor = &tensor, .n_rows = n_rows};
}

}  // namespace

uint64_t RowRange::source_row(uint64_t row) const {
  if (order == HeadOrder::same) return first_row + row;
  const uint64_t head = row / head_dim, i = row % head_dim, half = head_dim / 2;
  const uint64_t in_head = order == HeadOrder::to_pairs ? i % 2 * half + i / 2  // row [j][half]
                                                        : i % half * 2 + i / half;
  return first_row + head * head_dim + in_head;
}

std::pair<const TensorInfo*, uint64_t> find_row(std::span<const RowRange> ranges, uint64_t row) {
  for (const RowRange& range : ranges) {
    if (row < range.n_rows) return {range.tensor, range.source_row(row)};
    row -= range.n_rows;
  }
  return {nullptr, 0};
}

Result<std::vector<float>> read_elements(const ElementRange& range) {
  TRY(const std::vector<float>& all, to_f32(*range.tensor));
  const auto first = all.begin() + static_cast<ptrdiff_t>(range.first);
  return std::vector<float>(first, first + static_cast<ptrdiff_t>(range.n));
}

const TensorInfo* WeightSource::find(std::string_view ours) const {
  for (const std::string& name : names_in_file(naming_, ours)) {
    if (const TensorInfo* tensor = checkpoint_.find(name)) return tensor;
  }
  return nullptr;
}

Result<const TensorInfo*> WeightSource::get(std::string_view ours) const {
  if (const TensorInfo* tensor = find(ours)) return tensor;
  return checkpoint_.get(names_in_file(naming_, ours).back());
}

Result<RowRange> WeightSource::matrix(std::string_view ours, uint64_t n_rows,
                                      uint32_t in_dim) const {
  TRY(const TensorInfo* tensor, get(ours));
  return all_rows(*tensor, checkpoint_.where(), n_rows, in_dim);
}

bool WeightSource::is_fused(const std::string& blk, std::string_view ours) const {
  if (config_.fused_projections) return true;
  const std::string_view whole = part_of(config_, ours).whole;
  return find(fmt::format("{}{}.weight", blk, ours)) == nullptr &&
         find(fmt::format("{}{}.weight", blk, whole)) != nullptr;
}

Result<RowRange> WeightSource::part(const std::string& blk, std::string_view ours) const {
  const Part part = part_of(config_, ours);
  if (!is_fused(blk, ours)) {
    return matrix(fmt::format("{}{}.weight", blk, ours), part.n_rows, config_.model_dim);
  }
  TRY(RowRange range,
      matrix(fmt::format("{}{}.weight", blk, part.whole), part.whole_rows, config_.model_dim));
  range.first_row = part.first_row;
  range.n_rows = part.n_rows;
  return range;
}

Result<RowRange> WeightSource::expert(const std::string& blk, uint32_t expert,
                                      std::string_view matrix_name) const {
  const Config& c = config();
  if (naming_ == Naming::mlc) return expert_in_mlc(blk, expert, matrix_name);
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
Result<RowRange> WeightSource::expert_in_mlc(const std::string& blk, uint32_t expert,
                                             std::string_view matrix_name) const {
  const Config& c = config();
  const bool is_down = matrix_name == "down";
  const uint32_t rows = is_down ? c.model_dim : c.expert_ffn_dim;
  const uint32_t in_dim = is_down ? c.expert_ffn_dim : c.model_dim;
  const uint64_t unit = is_down ? rows : 2 * uint64_t{rows};
  const std::string stacked = fmt::format("{}experts.{}.weight", blk, is_down ? "down" : "gate_up");
  TRY(RowRange range, matrix(stacked, c.n_experts * unit, in_dim));
  range.first_row = expert * unit + (matrix_name == "up" ? rows : 0);
  range.n_rows = rows;
  return range;
}

Result<ElementRange> WeightSource::vector_range(std::string_view ours, uint32_t dim) const {
  TRY(const RowRange range, matrix(ours, 1, dim));
  return ElementRange{.tensor = range.tensor, .n = dim};
}

Result<ElementRange> WeightSource::bias_range(const std::string& blk, std::string_view ours) const {
  const Part part = part_of(config(), ours);
  const std::string own = fmt::format("{}{}.bias", blk, ours);
  const std::string whole = fmt::format("{}{}.bias", blk, part.whole);
  if (find(own) != nullptr || find(whole) == nullptr) {
    return vector_range(own, static_cast<uint32_t>(part.n_rows));
  }
  TRY(ElementRange range, vector_range(whole, static_cast<uint32_t>(part.whole_rows)));
  range.first = part.first_row;
  range.n = part.n_rows;
  return range;
}

Result<std::vector<float>> WeightSource::vector(std::string_view ours, uint32_t dim) const {
  TRY(const ElementRange range, vector_range(ours, dim));
  return read(range);
}

Result<std::vector<float>> WeightSource::bias(const std::string& blk, std::string_view ours) const {
  TRY(const ElementRange range, bias_range(blk, ours));
  return read(range);
}

Result<std::vector<float>> WeightSource::read(const ElementRange& range) const {
  auto values = read_elements(range);
  if (values) return values;
  return fail(values.error().code, "{}: {}", checkpoint_.where(), values.error().message);
}

}  // namespace handloom::formats
