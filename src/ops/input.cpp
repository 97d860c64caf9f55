#include "ops/input.h"

#include <algorithm>

namespace handloom::ops {
namespace {

InputFormat format_of(DType weight, Act act) {
  if (act == Act::f32 || !takes(weight, act)) return InputFormat::f32;
  if (act == Act::f16) {
    return weight == DType::f16 ? InputFormat::f16_in_order : InputFormat::f16_for_nibbles;
  }
  return weight == DType::q8_0 ? InputFormat::int8_for_bytes : InputFormat::int8_for_nibbles;
}

}  // namespace

InputFormat format_for(const Matrix& weight, Act act) {
  const InputFormat format = format_of(weight.parts.front().tensor.dtype, act);
  const bool all_read_it = std::ranges::all_of(weight.parts, [&](const Matrix::Part& part) {
    return format_of(part.tensor.dtype, act) == format;
  });
  return all_read_it ? format : InputFormat::f32;
}

Act act_of(InputFormat format) {
  switch (format) {
    case InputFormat::f32: return Act::f32;
    case InputFormat::int8_for_nibbles:
    case InputFormat::int8_for_bytes: return Act::int8;
    case InputFormat::f16_for_nibbles:
    case InputFormat::f16_in_order: return Act::f16;
  }
  return Act::f32;
}

uint32_t multiple_of(InputFormat format) {
  return format == InputFormat::f32 || format == InputFormat::f16_in_order ? 8 : 32;
}

uint32_t values_per_turn(InputFormat format) {
  return format == InputFormat::f32 || format == InputFormat::f16_in_order ? 8 : 32;
}

uint64_t bytes_of(InputFormat format, uint32_t dim) {
  switch (act_of(format)) {
    case Act::f32: return uint64_t{4} * dim;
    case Act::f16: return uint64_t{2} * dim + dim / 2;  // and a scale of 4 bytes for eight
    case Act::int8: return uint64_t{2} * dim;           // and a scale and a sum
  }
  return 0;
}

Input input_for(const Matrix& weight, const gpu::Tensor& words, const ProjectForm& form) {
  const uint32_t dim = weight.in_dim();
  InputFormat format = format_for(weight, form.act);
  if (dim % multiple_of(format) != 0) format = InputFormat::f32;
  Input input = {.words = words, .dim = dim, .format = format, .form = form};
  input.form.act = act_of(format);
  return input;
}

}  // namespace handloom::ops
