// Repacking: one row of a weight, from the blocks of its file to the planes of the GPU
// (base/planes.h). Codes and scales move; no value changes. Source formats differ here and nowhere
// behind.
#pragma once

#include "base/planes.h"
#include "base/result.h"
#include "formats/checkpoint.h"

#include <array>
#include <cstdint>

namespace handloom::formats {

/// Where one row begins in each plane of a layout; nullptr for planes that the type does not have.
using RowPlanes = std::array<uint32_t*, kPlanes>;

/// Row `row` of `source` in `layout`, whose dtype is gpu_dtype(source.dtype) or, for a plain
/// source, any of f32, f16 and bf16; in_dim is at most the source's (mlc_q3 pads its rows). Error:
/// unsupported for a value that f16 cannot hold.
Result<void> repack_row(const TensorInfo& source, uint64_t row, const PlaneLayout& layout,
                        const RowPlanes& out);

/// Whether in_dim and group of `source` are ones that the planes can hold. Error: unsupported.
Result<void> check_repackable(const TensorInfo& source, const std::string& where);

}  // namespace handloom::formats
