// Input: a vector on its way to a matrix, written by one dispatch of the fused plan the way the
// next one reads it (kernels/lib/store_input.wgsl).
#pragma once

#include "gpu/tensor.h"
#include "ops/matrix.h"
#include "ops/project_form.h"

#include <cstdint>

namespace handloom::ops {

/// How the values lie. The numbers are those of kernels/lib/store_input.wgsl.
enum class InputFormat : uint32_t {
  f32 = 0,
  int8_for_nibbles = 1,  // 8 bits and a scale for eight values, for weights with 4-bit codes
  int8_for_bytes = 2,    // the same, for weights with codes of a byte
  f16_for_nibbles = 3,   // 16 bits and a scale for eight values, for weights with 4-bit codes
  f16_in_order = 4,      // the same, for f16 weights
};

struct Input {
  gpu::Tensor words;  // u32 [input_words(dim)]
  uint32_t dim = 0;
  InputFormat format = InputFormat::f32;
  ProjectForm form = {};  // of the product that reads it
  uint32_t n_sums = 0;    // sums of squares behind the values; 0: the reader applies no norm
};

/// Words that an input of `dim` values takes in any format, its sums of squares included.
constexpr uint32_t input_words(uint32_t dim) { return dim + (dim + 7) / 8 + 4; }

/// The format of such activations that a matrix can read, or f32 if none.
InputFormat format_for(const Matrix& weight, Act act);
/// What the activations of a format are.
Act act_of(InputFormat format);
/// Of what the values of a format are a multiple.
uint32_t multiple_of(InputFormat format);
/// Values that a lane multiplies in one turn: kernels/lib/dot_f32.wgsl, dot_f16.wgsl,
/// dot_int8.wgsl.
uint32_t values_per_turn(InputFormat format);
/// Bytes of `dim` values in a format.
uint64_t bytes_of(InputFormat format, uint32_t dim);

/// An input of the matrix in `words`, which whoever writes it will fill: in the form's activations
/// where all of the matrix can read them, else in f32.
Input input_for(const Matrix& weight, const gpu::Tensor& words, const ProjectForm& form);

}  // namespace handloom::ops
