// The element types and shapes that files, host tensors and GPU tensors share.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace handloom {

/// Plain types hold one value an element. The others are quantised: a block of consecutive values
/// of a row shares a scale, and perhaps a minimum. Those from q4_0 to mxfp4 are GGUF's, whose
/// blocks hold codes and scales together; the last ones keep scales in an array of their own.
/// formats/quantised.h says what each value is.
enum class DType : uint8_t {
  f32,
  f16,
  bf16,
  u32,
  i32,
  i64,
  u8,
  i8,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq4_nl,
  mxfp4,
  mlc_q4,      // MLC q4f16_1: 4 bits, an f16 scale for each 32 values
  mlc_q4f32,   // MLC q4f32_1: 4 bits, an f32 scale for each 32 values
  mlc_q3,      // MLC q3f16_1: 3 bits, an f16 scale for each 40 values
  int8_block,  // 8 bits, an f32 scale for each 32, 64 or 128 values
  mlx_q4,      // MLX affine: 4 bits, a scale and a bias for each 32, 64 or 128 values
};

inline constexpr DType kDTypes[] = {
    DType::f32,    DType::f16,       DType::bf16,   DType::u32,        DType::i32,
    DType::i64,    DType::u8,        DType::i8,     DType::q4_0,       DType::q4_1,
    DType::q5_0,   DType::q5_1,      DType::q8_0,   DType::q2_k,       DType::q3_k,
    DType::q4_k,   DType::q5_k,      DType::q6_k,   DType::iq4_nl,     DType::mxfp4,
    DType::mlc_q4, DType::mlc_q4f32, DType::mlc_q3, DType::int8_block, DType::mlx_q4};

/// How many values lie together in a file, and in how many bytes; scale arrays not counted.
struct BlockSize {
  uint32_t values, bytes;
};

constexpr BlockSize block_size(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::u32:
    case DType::i32: return {1, 4};
    case DType::f16:
    case DType::bf16: return {1, 2};
    case DType::i64: return {1, 8};
    case DType::u8:
    case DType::i8:
    case DType::int8_block: return {1, 1};
    case DType::q4_0:
    case DType::iq4_nl: return {32, 18};
    case DType::q4_1: return {32, 20};
    case DType::q5_0: return {32, 22};
    case DType::q5_1: return {32, 24};
    case DType::q8_0: return {32, 34};
    case DType::mxfp4: return {32, 17};
    case DType::q2_k: return {256, 84};
    case DType::q3_k: return {256, 110};
    case DType::q4_k: return {256, 144};
    case DType::q5_k: return {256, 176};
    case DType::q6_k: return {256, 210};
    case DType::mlc_q4:
    case DType::mlc_q4f32:
    case DType::mlx_q4: return {8, 4};
    case DType::mlc_q3: return {10, 4};
  }
  return {1, 0};
}

constexpr bool is_quantised(DType dtype) { return dtype >= DType::q4_0; }
constexpr bool is_float(DType dtype) { return dtype <= DType::bf16; }  // f32, f16, bf16

/// Bytes of one element of a plain type.
constexpr uint32_t dtype_bytes(DType dtype) {
  assert(!is_quantised(dtype));
  return block_size(dtype).bytes;
}

/// "f32", "bf16", "q4_k", ...
std::string_view to_string(DType dtype);

/// Up to four dimensions, outermost first; rank 0 is a scalar. Every product fits in 64 bits as
/// long as the dimensions come from a checked file or from our own code.
class Shape {
 public:
  static constexpr uint32_t kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<uint32_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const uint32_t> dims) : rank_(static_cast<uint32_t>(dims.size())) {
    assert(dims.size() <= kMaxRank);
    std::copy(dims.begin(), dims.end(), dims_.begin());
  }

  uint32_t rank() const { return rank_; }
  uint32_t dim(uint32_t i) const { return dims_[i]; }
  std::span<const uint32_t> dims() const { return {dims_.data(), rank_}; }

  uint64_t count() const {
    uint64_t n = 1;
    for (const uint32_t d : dims()) n *= d;
    return n;
  }

  bool operator==(const Shape&) const = default;

 private:
  std::array<uint32_t, kMaxRank> dims_{};
  uint32_t rank_ = 0;
};

/// "[48, 128]"
std::string to_string(const Shape& shape);

}  // namespace handloom
