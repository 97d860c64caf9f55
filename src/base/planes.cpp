#include "base/planes.h"

namespace handloom {
namespace {

constexpr uint32_t ceil_div(uint32_t a, uint32_t b) { return (a + b - 1) / b; }

/// Bits of a value in the planes of codes and of upper bits, and of a scale and a super.
struct PlaneBits {
  uint32_t code, high, scale, super;
  uint32_t scale_values;  // values that share a scale; 0: the group
};

constexpr PlaneBits plane_bits(DType dtype) {
  switch (dtype) {
    case DType::q4_0:
    case DType::iq4_nl:
    case DType::mlc_q4: return {4, 0, 16, 0, 32};
    case DType::mlc_q4f32: return {4, 0, 32, 0, 32};
    case DType::mlc_q3: return {2, 1, 16, 0, 40};
    case DType::q4_1: return {4, 0, 32, 0, 0};
    case DType::q5_0: return {4, 1, 16, 0, 32};
    case DType::q5_1: return {4, 1, 32, 0, 32};
    case DType::q8_0: return {8, 0, 16, 0, 32};
    case DType::int8_block: return {8, 0, 32, 0, 0};
    case DType::mxfp4: return {4, 0, 8, 0, 32};
    case DType::q2_k: return {2, 0, 8, 32, 16};
    case DType::q3_k: return {2, 1, 8, 16, 16};
    case DType::q4_k: return {4, 0, 8, 32, 16};  // a scale and a minimum for each 32
    case DType::q5_k: return {4, 1, 8, 32, 16};
    case DType::q6_k: return {4, 2, 8, 16, 16};
    default: return {8 * dtype_bytes(dtype), 0, 0, 0, 0};
  }
}

}  // namespace

PlaneLayout plane_layout(DType dtype, uint32_t n_rows, uint32_t in_dim, uint32_t group) {
  const PlaneBits bits = plane_bits(dtype);
  PlaneLayout layout{.dtype = dtype, .in_dim = in_dim};
  layout.group = bits.scale_values > 0 ? bits.scale_values : group;
  const uint32_t n_scales = bits.scale > 0 ? ceil_div(in_dim, layout.group) : 0;
  const uint32_t n_supers = bits.super > 0 ? ceil_div(in_dim, 256) : 0;
  layout.words_per_row = {ceil_div(in_dim * bits.code, 32), ceil_div(n_scales * bits.scale, 32),
                          ceil_div(n_supers * bits.super, 32), ceil_div(in_dim * bits.high, 32)};
  constexpr uint64_t kAlignedWords = 64;  // 256 bytes
  for (size_t p = 0; p < kPlanes; ++p) {
    if (layout.words_per_row[p] == 0) continue;
    layout.first_word[p] = (layout.n_words + kAlignedWords - 1) / kAlignedWords * kAlignedWords;
    layout.n_words = layout.first_word[p] + uint64_t{n_rows} * layout.words_per_row[p];
  }
  // Some kernels read vec4u: where accesses are checked, as in every browser, a last one that the
  // buffer holds in part counts as beyond its end.
  if (is_quantised(dtype)) layout.n_words = (layout.n_words + 3) / 4 * 4;
  return layout;
}

DType gpu_dtype(DType file) { return file == DType::mlx_q4 ? DType::q4_1 : file; }

}  // namespace handloom
