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

enum class DType : uint8_t { f32, f16, bf16, u32, i32, i64, u8 };

/// Bytes of one element.
constexpr uint32_t dtype_bytes(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::u32:
    case DType::i32: return 4;
    case DType::f16:
    case DType::bf16: return 2;
    case DType::i64: return 8;
    case DType::u8: return 1;
  }
  return 0;
}

/// "f32", "bf16", ...
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
