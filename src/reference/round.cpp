#include "reference/round.h"

#include "base/half.h"

#include <algorithm>
#include <cmath>

namespace handloom::reference {

void round_to(std::span<float> values, DType stored_as) {
  assert(is_float(stored_as));
  for (float& value : values) {
    if (stored_as == DType::f16) value = f16_to_f32(f32_to_f16(value));
    if (stored_as == DType::bf16) value = bf16_to_f32(f32_to_bf16(value));
  }
}

void round_to_f16(Host& x) { round_to(x.values, DType::f16); }
void round_to_bf16(Host& x) { round_to(x.values, DType::bf16); }

float int8_scale(std::span<const float> row) {
  float largest = 0;
  for (const float x : row) largest = std::max(largest, std::abs(x));
  return f16_to_f32(f32_to_f16(std::clamp(largest * (1.0f / 127.0f), 0x1p-24f, 65504.0f)));
}

int int8_code(float x, float scale) {
  return static_cast<int>(std::clamp(std::nearbyint(x / scale), -127.0f, 127.0f));
}

void round_to_int8(std::span<float> row) {
  const float scale = int8_scale(row);
  for (float& x : row) x = static_cast<float>(int8_code(x, scale)) * scale;
}

}  // namespace handloom::reference
