// What storing values in a narrower type does to them.
#pragma once

#include "reference/host.h"

#include <span>

namespace handloom::reference {

/// Each value becomes the nearest one that `stored_as` can hold (ties to even). f32 changes
/// nothing; the integer types are not storage of activations or weights and must not be given.
void round_to(std::span<float> values, DType stored_as);

void round_to_f16(Host& x);
void round_to_bf16(Host& x);

/// The f16 scale of a row stored as int8: max|x| / 127, not below 2^-24, the least that an f16
/// can be, so that a row of zeros has one.
float int8_scale(std::span<const float> row);

/// round(x / scale), ties to even, from -127 to 127.
int int8_code(float x, float scale);

/// A row as int8 codes and one scale hold it: code * scale, which is exact in f32.
void round_to_int8(std::span<float> row);

}  // namespace handloom::reference
