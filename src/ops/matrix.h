// Matrix: a weight as ops take it. Usually one tensor; more where the adapter binds less than the
// whole, or where rows of different types were put together (a fused qkv whose v has more bits).
#pragma once

#include "base/planes.h"
#include "gpu/tensor.h"

#include <vector>

namespace handloom::ops {

struct Matrix {
  /// Rows first_row.. of the whole.
  struct Part {
    uint32_t first_row = 0;
    gpu::Tensor tensor;   // [n_rows, in_dim], planes of its dtype (base/planes.h)
    uint32_t group = 32;  // values along a row that share a scale, for types that leave it open

    uint32_t n_rows() const { return tensor.dim(0); }
    PlaneLayout layout() const {
      return plane_layout(tensor.dtype, n_rows(), tensor.dim(1), group);
    }
  };

  std::vector<Part> parts;

  Matrix() = default;
  Matrix(gpu::Tensor whole) : parts{{.tensor = std::move(whole)}} {}  // NOLINT: meant to convert

  bool empty() const { return parts.empty(); }
  uint32_t out_dim() const { return empty() ? 0 : parts.back().first_row + parts.back().n_rows(); }
  uint32_t in_dim() const { return parts.front().tensor.dim(1); }
  /// Of the first part: the type to name where one is named.
  DType dtype() const { return parts.front().tensor.dtype; }
  uint64_t bytes() const {
    uint64_t sum = 0;
    for (const Part& part : parts) sum += part.tensor.bytes();
    return sum;
  }
};

}  // namespace handloom::ops
