// A model's weights under handloom's own names, however its files hold them: one matrix or three, a
// tensor for each expert or one for all, rows of heads in either order. The GPU's loader and the
// writer of other files both ask here.
#pragma once

#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/config.h"
#include "formats/tensor_names.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace handloom::formats {

/// How the rows of a query or key head follow each other. Row [half][j] of Hugging Face's order is
/// row [j][half] of the order that GGUF has for Llamas.
enum class HeadOrder {
  same,
  to_pairs,   // from Hugging Face's order to GGUF's
  to_halves,  // back
};

/// Rows of a file's tensor that become rows of another.
struct RowRange {
  const TensorInfo* tensor = nullptr;
  uint64_t first_row = 0;
  uint64_t n_rows = 0;
  HeadOrder order = HeadOrder::same;
  uint32_t head_dim = 0;  // rows of a head, where the order changes

  /// The row of `tensor` that becomes row `row` of this range.
  uint64_t source_row(uint64_t row) const;
};

/// Where row `row` of ranges that lie one below the other comes from. There must be such a row.
std::pair<const TensorInfo*, uint64_t> find_row(std::span<const RowRange> ranges, uint64_t row);

/// Values of a file's vector, or of a part of one.
struct ElementRange {
  const TensorInfo* tensor = nullptr;
  uint64_t first = 0, n = 0;
};

/// As f32. Error: that of to_f32.
Result<std::vector<float>> read_elements(const ElementRange& range);

class WeightSource {
 public:
  /// Keeps references to `config` and `checkpoint`.
  WeightSource(const Config& config, const Checkpoint& checkpoint, Naming naming)
      : config_(config), checkpoint_(checkpoint), naming_(naming) {}

  const Config& config() const { return config_; }
  const Checkpoint& checkpoint() const { return checkpoint_; }
  /// The file's tensor for ours, such as "blk.3.attn_norm.weight", or nullptr.
  const TensorInfo* find(std::string_view ours) const;
  /// Whether the layer `blk` ("blk.3.") holds "attn_q", ... or "ffn_gate", ... as rows of a matrix
  /// of them all.
  bool is_fused(const std::string& blk, std::string_view ours) const;

  // Each of the following fails with not_found or bad_format (another shape than the config says).

  /// All rows of one tensor.
  Result<RowRange> matrix(std::string_view ours, uint64_t n_rows, uint32_t in_dim) const;
  /// One of the matrices that a file may hold as one: "attn_q", "ffn_up", ... of the layer `blk`
  /// ("blk.3."). Rows lie in the file's order.
  Result<RowRange> part(const std::string& blk, std::string_view ours) const;
  /// "gate", "up" or "down" of one expert.
  Result<RowRange> expert(const std::string& blk, uint32_t expert, std::string_view matrix) const;
  /// A norm.
  Result<ElementRange> vector_range(std::string_view ours, uint32_t dim) const;
  /// Of "attn_q", ...
  Result<ElementRange> bias_range(const std::string& blk, std::string_view ours) const;
  /// The same, read.
  Result<std::vector<float>> vector(std::string_view ours, uint32_t dim) const;
  Result<std::vector<float>> bias(const std::string& blk, std::string_view ours) const;

 private:
  Result<const TensorInfo*> get(std::string_view ours) const;
  Result<RowRange> expert_in_mlc(const std::string& blk, uint32_t expert,
                                 std::string_view matrix) const;
  Result<std::vector<float>> read(const ElementRange& range) const;

  const Config& config_;
  const Checkpoint& checkpoint_;
  Naming naming_;
};

}  // namespace handloom::formats
