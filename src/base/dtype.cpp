#include "base/dtype.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace handloom {

std::string_view to_string(DType dtype) {
  switch (dtype) {
    case DType::f32: return "f32";
    case DType::f16: return "f16";
    case DType::bf16: return "bf16";
    case DType::u32: return "u32";
    case DType::i32: return "i32";
    case DType::i64: return "i64";
    case DType::u8: return "u8";
    case DType::i8: return "i8";
    case DType::q4_0: return "q4_0";
    case DType::q4_1: return "q4_1";
    case DType::q5_0: return "q5_0";
    case DType::q5_1: return "q5_1";
    case DType::q8_0: return "q8_0";
    case DType::q2_k: return "q2_k";
    case DType::q3_k: return "q3_k";
    case DType::q4_k: return "q4_k";
    case DType::q5_k: return "q5_k";
    case DType::q6_k: return "q6_k";
    case DType::iq4_nl: return "iq4_nl";
    case DType::mxfp4: return "mxfp4";
    case DType::mlc_q4: return "mlc_q4";
    case DType::mlc_q4f32: return "mlc_q4f32";
    case DType::mlc_q3: return "mlc_q3";
    case DType::int8_block: return "int8_block";
    case DType::mlx_q4: return "mlx_q4";
  }
  return "unknown";
}

std::string to_string(const Shape& shape) {
  return fmt::format("[{}]", fmt::join(shape.dims(), ", "));
}

}  // namespace handloom
