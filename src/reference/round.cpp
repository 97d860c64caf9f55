#include "reference/round.h"

#include "base/half.h"

namespace handloom::reference {

void round_to(std::span<float> values, DType stored_as) {
  assert(stored_as == DType::f32 || stored_as == DType::f16 || stored_as == DType::bf16);
  for (float& value : values) {
    if (stored_as == DType::f16) value = f16_to_f32(f32_to_f16(value));
    if (stored_as == DType::bf16) value = bf16_to_f32(f32_to_bf16(value));
  }
}

void round_to_f16(Host& x) { round_to(x.values, DType::f16); }
void round_to_bf16(Host& x) { round_to(x.values, DType::bf16); }

}  // namespace handloom::reference
