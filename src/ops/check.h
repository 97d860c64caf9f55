// What every op does first: compare shapes with what it expects, and choose a variant.
#pragma once

#include "gpu/encoder.h"
#include "kernels/kernels.h"

#include <string_view>

namespace handloom::ops {

/// False, and the encoder will refuse to finish, unless the shapes agree. Shapes are checked
/// against files and options long before; a failure here is a mistake of ours.
bool check_shape(gpu::Encoder& enc, std::string_view op, std::string_view name,
                 const gpu::Tensor& tensor, const Shape& expected);
bool check_multiple(gpu::Encoder& enc, std::string_view op, std::string_view name, uint32_t value,
                    uint32_t divisor);
bool check_most(gpu::Encoder& enc, std::string_view op, std::string_view name, uint32_t value,
                uint32_t most);

/// The variant that reads a weight of this type.
kernels::Weight weight_variant(const gpu::Tensor& weight);
/// The variant that reads and writes a KV page of this type.
kernels::Kv kv_variant(const gpu::Tensor& kv);
/// Subgroup operations where the encoder allows them.
kernels::Reduce reduce_variant(const gpu::Encoder& enc);

constexpr uint32_t ceil_div(uint32_t a, uint32_t b) { return (a + b - 1) / b; }

}  // namespace handloom::ops
