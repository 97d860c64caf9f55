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

}  // namespace handloom::reference
