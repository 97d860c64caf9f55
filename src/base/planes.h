// How a weight matrix lies on the GPU: planes, each of 32-bit words, one behind the other in one
// buffer. Plain types have one plane, their elements. Quantised types have
//
//   codes    the lower bits of each value's code: 2, 4 or 8
//   scales   what a block of values shares: a scale, perhaps a minimum
//   supers   K types: what 256 values share: d, perhaps dmin
//   high     the upper bits of each code, where codes have 3, 5 or 6
//
// In every plane a row begins at a word of its own, and the first value lies lowest. A plane begins
// at a multiple of 256 bytes, so that it can be bound alone. kernels/lib/weight_*.wgsl read them.
#pragma once

#include "base/dtype.h"

#include <array>
#include <cstdint>

namespace handloom {

enum class Plane : uint8_t { codes, scales, supers, high };
inline constexpr uint32_t kPlanes = 4;

/// The planes of `n_rows` rows of `in_dim` values.
struct PlaneLayout {
  DType dtype = DType::f32;
  uint32_t in_dim = 0;
  uint32_t group = 0;                             // values along a row that share a scale
  std::array<uint32_t, kPlanes> words_per_row{};  // 0: the type has no such plane
  std::array<uint64_t, kPlanes> first_word{};     // of each plane, in the buffer
  uint64_t n_words = 0;                           // of all planes

  uint32_t words(Plane plane) const { return words_per_row[static_cast<size_t>(plane)]; }
  uint64_t at(Plane plane) const { return first_word[static_cast<size_t>(plane)]; }
  uint64_t bytes() const { return 4 * n_words; }
};

/// `group` matters for q4_1 and int8_block alone. For a quantised type in_dim is a multiple of 32
/// (K types: 256), for a plain one of 4.
PlaneLayout plane_layout(DType dtype, uint32_t n_rows, uint32_t in_dim, uint32_t group = 32);

/// The type in which the GPU keeps a weight that a file holds as `file`: itself, but for mlx_q4,
/// which is q4_1 with larger groups.
DType gpu_dtype(DType file);

}  // namespace handloom
