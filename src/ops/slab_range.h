// Which positions a slab of a KV cache holds.
#pragma once

#include "base/dtype.h"

#include <cstdint>

namespace handloom::ops {

struct SlabRange {
  static constexpr uint32_t kGranule = 256;  // tokens; as the spans of kernels/attention.wgsl

  uint32_t first = 0;         // position; a multiple of kGranule
  uint32_t end = UINT32_MAX;  // the position after the last
  bool is_first = true;       // of the slabs that are attended to
  bool is_last = true;
};

/// Elements of `dtype` that a key or value of one head takes: i8 has an f16 scale besides, though
/// elsewhere in the page.
constexpr uint32_t kv_row_dim(DType dtype, uint32_t head_dim) {
  return dtype == DType::i8 ? head_dim + 2 : head_dim;
}

}  // namespace handloom::ops
