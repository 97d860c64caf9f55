// A model's weights under handloom's own names, however its files hold them: one matrix or three,
// a tensor for each expert or one for all, rows of heads in either order.
#pragma once

#include "base/result.h"
#include "convert/out_tensor.h"
#include "formats/model_files.h"

#include <string>
#include <string_view>
#include <vector>

namespace handloom::convert {

class Source {
 public:
  /// Points into `files`.
  explicit Source(const formats::ModelFiles& files) : files_(files) {}

  const formats::Config& config() const { return files_.config; }
  /// The file's tensor for ours, such as "blk.3.attn_norm.weight", or nullptr.
  const formats::TensorInfo* find(std::string_view ours) const;

  // Each of the following fails with not_found or bad_format (another shape than the config says).

  /// All rows of one tensor.
  Result<RowRange> matrix(std::string_view ours, uint64_t n_rows, uint32_t in_dim) const;
  /// One of the matrices that a file may hold as one: "attn_q.weight", "ffn_up.weight", ... of the
  /// layer `blk` ("blk.3.").
  Result<RowRange> part(const std::string& blk, std::string_view ours) const;
  /// "gate", "up" or "down" of one expert.
  Result<RowRange> expert(const std::string& blk, uint32_t expert, std::string_view matrix) const;
  /// A norm.
  Result<std::vector<float>> vector(std::string_view ours, uint32_t dim) const;
  /// "attn_q.bias", ...
  Result<std::vector<float>> bias(const std::string& blk, std::string_view ours) const;

 private:
  Result<RowRange> expert_in_mlc(const std::string& blk, uint32_t expert,
                                 std::string_view matrix) const;

  const formats::ModelFiles& files_;
};

}  // namespace handloom::convert
