// From f32 to the blocks and codes that quantised.h reads. Scales come from the format's own f16,
// so that codes are chosen for the scale that is stored. One thread; rows are independent.
#pragma once

#include "base/dtype.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace handloom::formats {

/// Rows of `in_dim` values to f16 or to GGUF's blocks: q8_0, q4_0, q4_1, q4_k or q6_k. `out` has
/// exactly the bytes of tensor_bytes().
///
///   f16   nearest, ties to even
///   q8_0  |error| <= d / 2, where d is the stored scale
///   q4_0  the best of three scales by squared error
///   q4_1  |error| <= d / 2
///   q4_k  scales and minima by weighted least squares over candidate grids, then over their
///         neighbours as stored; the weight of x is x^2 and the mean square of its 32 values
///   q6_k  the same without minima, over 16 values
///
/// Error: invalid_argument for NaN, infinity, what f16 (or an f16 scale) cannot reach, another type
/// or sizes that disagree.
Result<void> quantise_rows(DType dtype, std::span<const float> values, uint32_t in_dim,
                           std::span<std::byte> out);

/// Rows of `in_dim` values to a type that keeps scales apart: mlc_q4, mlc_q4f32 (group 32), mlc_q3
/// (group 40) or int8_block (group 32, 64 or 128), as TensorInfo's bytes and scales. A scale is
/// max|x| of its group / 7, 3 or 127, and f32 for mlc_q4f32 and int8_block, else f16. Codes that
/// pad a row are 0. Errors as above.
Result<void> quantise_groups(DType dtype, std::span<const float> values, uint32_t in_dim,
                             uint32_t group, std::span<std::byte> codes,
                             std::span<std::byte> scales);

}  // namespace handloom::formats
