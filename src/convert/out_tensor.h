// A tensor of the file to be written: where its rows come from, and how they are encoded. The rows
// of a model are read from the mapped file when their turn comes, so that a model may be larger
// than memory.
#pragma once

#include "base/result.h"
#include "formats/weight_source.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace handloom::convert {

struct OutTensor {
  std::string name;  // in the file to be
  DType dtype = DType::f32;
  Shape shape;
  uint32_t group = 0;                   // int8_block: values that share a scale
  std::vector<formats::RowRange> rows;  // one below the other; or else
  std::vector<float> values = {};       // of f32, what there is: norms, biases

  uint32_t in_dim() const { return shape.dim(shape.rank() - 1); }
  uint64_t n_rows() const { return in_dim() == 0 ? 0 : shape.count() / in_dim(); }
  /// Of the encoded tensor; of int8_block without its scales.
  uint64_t bytes() const;
  uint64_t scale_bytes() const;  // int8_block
};

struct Encoded {
  std::vector<std::byte> bytes;
  std::vector<std::byte> scales;  // int8_block: f32 [n_rows, in_dim / group]
};

/// Called between pieces of work with the number of rows done since the last call; false stops it.
using OnRows = std::function<bool(uint64_t n_rows)>;

/// All rows, on all cores. A row that has the right type already is copied as it lies. Errors: a
/// value that is no number or that the type cannot hold, named; what on_rows answered false to.
Result<Encoded> encode(const OutTensor& tensor, const OnRows& on_rows);

/// The error of work that on_rows stopped.
std::unexpected<Error> stopped();

}  // namespace handloom::convert
