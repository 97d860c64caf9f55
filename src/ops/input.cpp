#include "ops/input.h"

#include <algorithm>

namespace handloom::ops {

InputFormat int8_format_for(const Matrix& weight) {
  const auto format_of = [](const Matrix::Part& part) {
    if (!takes_int8(part.tensor.dtype)) return InputFormat::f32;
    return part.tensor.dtype == DType::q8_0 ? InputFormat::int8_for_bytes
                                            : InputFormat::int8_for_nibbles;
  };
  const InputFormat format = format_of(weight.parts.front());
  const bool all_read_it = std::ranges::all_of(
      weight.parts, [&](const Matrix::Part& part) { return format_of(part) == format; });
  return all_read_it ? format : InputFormat::f32;
}

Input input_for(const Matrix& weight, const gpu::Tensor& words, const ProjectForm& form) {
  const uint32_t dim = weight.in_dim();
  const bool asks_int8 = form.act == Act::int8 && dim % 32 == 0;
  Input input = {.words = words,
                 .dim = dim,
                 .format = asks_int8 ? int8_format_for(weight) : InputFormat::f32,
                 .form = form};
  if (input.format == InputFormat::f32) input.form.act = Act::f32;
  return input;
}

}  // namespace handloom::ops
