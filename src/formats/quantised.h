// The meaning of every type: which f32 a code, its scale and its minimum stand for. Plain loops,
// one formula a type, to be right at a glance; docs/quantisation.md has them as a table. What runs
// fast (repack.h, the kernels) is compared with this.
#pragma once

#include "base/result.h"
#include "formats/checkpoint.h"

#include <cstdint>
#include <span>

namespace handloom::formats {

/// Whether bytes, scales, biases and group of `tensor` are those that its type and shape call for.
/// Guards against a TensorInfo that was put together by hand. Error: invalid_argument.
Result<void> check_size(const TensorInfo& tensor);

/// The values of rows first_row .. first_row + n_rows - 1 as f32, one behind the other; a row is
/// what lies along the last dimension. `out` has n_rows * in_dim elements. A scale that is infinite
/// or NaN gives values that are. Error: invalid_argument for rows that are not there, an `out` of
/// another size and what check_size() refuses; unsupported for an integer type.
Result<void> dequantise_rows(const TensorInfo& tensor, uint64_t first_row, uint64_t n_rows,
                             std::span<float> out);

}  // namespace handloom::formats
