// GPU memory with a meaning: a buffer, and a tensor as a view of one.
#pragma once

#include "base/dtype.h"

#include <cstdint>
#include <memory>
#include <string>

namespace handloom::gpu {

class Buffer;  // in device.h; frees its memory when the last tensor lets go

/// A row-major view of a buffer. Cheap to copy; copies share the memory.
struct Tensor {
  std::shared_ptr<const Buffer> buffer;
  uint64_t offset = 0;  // bytes
  Shape shape;
  DType dtype = DType::f32;
  std::string name;           // "blk.3.attn_norm.weight": the WebGPU label
  uint64_t packed_bytes = 0;  // of a quantised type: all planes; then `shape` counts values

  uint32_t dim(uint32_t i) const { return shape.dim(i); }
  uint64_t count() const { return shape.count(); }
  /// Bytes as a binding sees them: a multiple of 4.
  uint64_t bytes() const {
    return packed_bytes > 0 ? packed_bytes : (count() * dtype_bytes(dtype) + 3) / 4 * 4;
  }
  /// The same memory with the outermost dimension cut to `n`.
  Tensor first_rows(uint32_t n) const;
  /// Rows of the outermost dimension, for copies (bindings want an offset aligned to 256).
  Tensor rows(uint32_t first, uint32_t n) const;
  Tensor row(uint32_t i) const { return rows(i, 1); }
};

}  // namespace handloom::gpu
