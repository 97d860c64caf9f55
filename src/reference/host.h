// Host: a tensor in ordinary memory, which is all that the reference operations know of tensors.
#pragma once

#include "base/dtype.h"

#include <cassert>
#include <cstddef>
#include <span>
#include <vector>

namespace handloom::reference {

/// Row-major f32 values. The last dimension is contiguous; a "row" is one run along it, whatever
/// the rank. Ops assert the shapes they are given: a wrong one is a mistake of the caller's code.
struct Host {
  Shape shape;
  std::vector<float> values;

  Host() = default;
  /// All zeros.
  explicit Host(Shape shape_) : shape(shape_), values(shape_.count()) {}
  /// `values_` must hold exactly shape.count() elements.
  Host(Shape shape_, std::vector<float> values_) : shape(shape_), values(std::move(values_)) {
    assert(values.size() == shape.count());
  }

  uint32_t dim(uint32_t i) const { return shape.dim(i); }
  /// The length of a row: the last dimension.
  size_t row_dim() const { return shape.dim(shape.rank() - 1); }
  /// How many rows there are: the product of all dimensions but the last.
  size_t n_rows() const { return row_dim() == 0 ? 0 : values.size() / row_dim(); }

  std::span<float> row(size_t r) {
    assert(r < n_rows());
    return std::span(values).subspan(r * row_dim(), row_dim());
  }
  std::span<const float> row(size_t r) const {
    assert(r < n_rows());
    return std::span(values).subspan(r * row_dim(), row_dim());
  }
};

}  // namespace handloom::reference
