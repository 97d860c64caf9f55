// Writes a safetensors file whose tensors need not fit in memory together: formats/safetensors.h
// writes those that do.
#pragma once

#include "base/dtype.h"
#include "base/result.h"

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace handloom::convert {

struct StreamTensor {
  std::string name;
  DType dtype = DType::f32;  // plain
  Shape shape;
};

/// In this order, without holes; complete or not at all. Each tensor's bytes are asked for when
/// their turn comes. Errors: invalid_argument (bytes that contradict a shape), io, bytes_of's.
Result<void> write_safetensors_stream(
    const std::string& path, std::span<const StreamTensor> tensors,
    const std::function<Result<std::vector<std::byte>>(size_t i)>& bytes_of);

}  // namespace handloom::convert
