#include "ops/check.h"

namespace handloom::ops {

bool check_shape(gpu::Encoder& enc, std::string_view op, std::string_view name,
                 const gpu::Tensor& tensor, const Shape& expected) {
  if (tensor.shape == expected) return true;
  enc.fail(fmt::format("{}: {} '{}' has shape {}, expected {}", op, name, tensor.name,
                       to_string(tensor.shape), to_string(expected)));
  return false;
}

bool check_multiple(gpu::Encoder& enc, std::string_view op, std::string_view name, uint32_t value,
                    uint32_t divisor) {
  if (divisor != 0 && value % divisor == 0) return true;
  enc.fail(fmt::format("{}: {} is {}, expected a multiple of {}", op, name, value, divisor));
  return false;
}

bool check_most(gpu::Encoder& enc, std::string_view op, std::string_view name, uint32_t value,
                uint32_t most) {
  if (value <= most) return true;
  enc.fail(fmt::format("{}: {} is {}, expected at most {}", op, name, value, most));
  return false;
}

kernels::Weight weight_variant(const gpu::Tensor& weight) {
  switch (weight.dtype) {
    case DType::f16: return kernels::Weight::f16;
    case DType::bf16: return kernels::Weight::bf16;
    default: return kernels::Weight::f32;
  }
}

kernels::Kv kv_variant(const gpu::Tensor& kv) {
  return kv.dtype == DType::f16 ? kernels::Kv::f16 : kernels::Kv::f32;
}

kernels::Reduce reduce_variant(const gpu::Encoder& enc) {
  return enc.features().subgroups ? kernels::Reduce::subgroup : kernels::Reduce::tree;
}

}  // namespace handloom::ops
