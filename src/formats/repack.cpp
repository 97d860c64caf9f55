#include "formats/repack.h"

#include "base/half.h"
#include "formats/block_values.h"
#include "formats/names.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace handloom::formats {
namespace {

using Byte = uint8_t;

uint16_t load_u16(const Byte* from) { return static_cast<uint16_t>(from[0] | from[1] << 8); }

uint32_t load_u32(const Byte* from) {
  uint32_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// Bits `shift` and up of `n` bytes, `bits` of each, side by side: eight bytes become `bits` bytes.
template <uint32_t bits>
void pack(const Byte* from, uint32_t n, uint32_t shift, uint32_t* words) {
  constexpr uint64_t kOne = (1u << bits) - 1, kTwo = (1u << 2 * bits) - 1;
  constexpr uint64_t kFour = (uint64_t{1} << 4 * bits) - 1;
  auto* to = reinterpret_cast<Byte*>(words);
  for (uint32_t i = 0; i < n; i += 8, to += bits) {
    uint64_t x;  // eight values, which move together by pairs
    std::memcpy(&x, from + i, sizeof x);
    x = x >> shift & 0x0101010101010101u * kOne;
    x = (x | x >> (8 - bits)) & 0x0001000100010001u * kTwo;
    x = (x | x >> (16 - 2 * bits)) & 0x0000000100000001u * kFour;
    x |= x >> (32 - 4 * bits);
    std::memcpy(to, &x, bits);
  }
}

/// The same `8 / bits` times, each with the next bits of the same bytes.
template <uint32_t bits>
void pack_all(const Byte* from, uint32_t n, uint32_t* words) {
  for (uint32_t j = 0; j < 8 / bits; ++j) pack<bits>(from, n, bits * j, words + j * n * bits / 32);
}

/// Numbers of a row of 8 or 16 bits, one after the other in its words.
void put_u8(uint32_t* row, uint32_t i, uint32_t value) {
  std::memcpy(reinterpret_cast<Byte*>(row) + i, &value, 1);
}
void put_u16(uint32_t* row, uint32_t i, uint32_t value) {
  std::memcpy(reinterpret_cast<Byte*>(row) + 2 * size_t{i}, &value, 2);
}

/// The eight scales and minima of a block of Q4_K or Q5_K, a byte each.
void put_k_scales(const Byte* packed, uint32_t first, uint32_t* scales) {
  for (uint32_t j = 0; j < 8; ++j) {
    const auto [scale, minimum] = k_scale(packed, j);
    put_u8(scales, first + 2 * j, scale);
    put_u8(scales, first + 2 * j + 1, minimum);
  }
}

/// One block of a file to its place in the row; `b` counts blocks along the row.
struct BlockRow {
  RowPlanes out;

  uint32_t* plane(Plane p, uint32_t word) const { return out[static_cast<size_t>(p)] + word; }

  /// Value j in the low half of byte j, value j + 16 in the high.
  void q4(const Byte* block, uint32_t b, uint32_t at) {
    pack_all<4>(block + at, 16, plane(Plane::codes, 4 * b));
  }
  void scale16(const Byte* block, uint32_t b) {
    put_u16(plane(Plane::scales, 0), b, load_u16(block));
  }
  void scale32(const Byte* block, uint32_t b) { *plane(Plane::scales, b) = load_u32(block); }
  void high32(const Byte* block, uint32_t b) { *plane(Plane::high, b) = load_u32(block); }

  void q8(const Byte* block, uint32_t b) {
    scale16(block, b);
    std::memcpy(plane(Plane::codes, 8 * b), block + 2, 32);
  }

  /// 256 values of 2 bits: 128 at a time, value 32 j + l in bits 2 j of byte l.
  void quarters(const Byte* from, uint32_t b, Plane p) {
    for (uint32_t half = 0; half < 2; ++half) {
      pack_all<2>(from + size_t{32} * half, 32, plane(p, 16 * b + 8 * half));
    }
  }
  /// 256 values of 4 bits: `n` bytes at a time, their low halves, then their high.
  void k_halves(const Byte* from, uint32_t n, uint32_t b) {
    for (uint32_t i = 0; i < 128; i += n) {
      pack_all<4>(from + i, n, plane(Plane::codes, 32 * b + i / 4));
    }
  }
  /// 256 values of 1 bit: value 32 j + l in bit j of byte l.
  void eighths(const Byte* from, uint32_t b) { pack_all<1>(from, 32, plane(Plane::high, 8 * b)); }

  void q2_k(const Byte* block, uint32_t b) {
    quarters(block + 16, b, Plane::codes);
    std::memcpy(plane(Plane::scales, 4 * b), block, 16);
    *plane(Plane::supers, b) = load_u32(block + 80);
  }

  void q3_k(const Byte* block, uint32_t b) {
    quarters(block + 32, b, Plane::codes);
    eighths(block, b);
    const Byte* s = block + 96;
    for (uint32_t j = 0; j < 16; ++j) {
      const uint32_t low = j < 8 ? s[j] & 15u : s[j - 8] >> 4u;
      const uint32_t scale = low | (s[8 + j % 4] >> (2 * (j / 4)) & 3u) << 4;
      put_u8(plane(Plane::scales, 0), 16 * b + j, scale - 32);  // as a signed byte
    }
    put_u16(plane(Plane::supers, 0), b, load_u16(block + 108));
  }

  void q4_k(const Byte* block, uint32_t b) {
    k_halves(block + 16, 32, b);
    put_k_scales(block + 4, 16 * b, plane(Plane::scales, 0));
    *plane(Plane::supers, b) = load_u32(block);
  }

  void q5_k(const Byte* block, uint32_t b) {
    k_halves(block + 48, 32, b);
    eighths(block + 16, b);
    put_k_scales(block + 4, 16 * b, plane(Plane::scales, 0));
    *plane(Plane::supers, b) = load_u32(block);
  }

  void q6_k(const Byte* block, uint32_t b) {
    k_halves(block, 64, b);
    quarters(block + 128, b, Plane::high);
    std::memcpy(plane(Plane::scales, 4 * b), block + 192, 16);
    put_u16(plane(Plane::supers, 0), b, load_u16(block + 208));
  }

  void put(DType dtype, const Byte* block, uint32_t b) {
    switch (dtype) {
      case DType::q4_0:
      case DType::iq4_nl: return scale16(block, b), q4(block, b, 2);
      case DType::q4_1: return scale32(block, b), q4(block, b, 4);
      case DType::q5_0: return scale16(block, b), high32(block + 2, b), q4(block, b, 6);
      case DType::q5_1: return scale32(block, b), high32(block + 4, b), q4(block, b, 8);
      case DType::mxfp4: return put_u8(plane(Plane::scales, 0), b, block[0]), q4(block, b, 1);
      case DType::q8_0: return q8(block, b);
      case DType::q2_k: return q2_k(block, b);
      case DType::q3_k: return q3_k(block, b);
      case DType::q4_k: return q4_k(block, b);
      case DType::q5_k: return q5_k(block, b);
      case DType::q6_k: return q6_k(block, b);
      default: return;
    }
  }
};

const Byte* row_of(std::span<const std::byte> bytes, uint64_t row, uint64_t row_bytes) {
  return reinterpret_cast<const Byte*>(bytes.data()) + row * row_bytes;
}

float plain_value(DType dtype, const Byte* from, uint32_t i) {
  switch (dtype) {
    case DType::f16: return f16_to_f32(load_u16(from + 2 * size_t{i}));
    case DType::bf16: return bf16_to_f32(load_u16(from + 2 * size_t{i}));
    default: return std::bit_cast<float>(load_u32(from + 4 * size_t{i}));
  }
}

Result<void> repack_plain(const TensorInfo& source, uint64_t row, const PlaneLayout& layout,
                          uint32_t* out) {
  const uint32_t width = dtype_bytes(source.dtype);
  const Byte* from = row_of(source.bytes, row, uint64_t{layout.in_dim} * width);
  if (source.dtype == layout.dtype) {
    std::memcpy(out, from, size_t{layout.in_dim} * width);
    return {};
  }
  for (uint32_t i = 0; i < layout.in_dim; ++i) {
    const float value = plain_value(source.dtype, from, i);
    if (layout.dtype == DType::f32) {
      out[i] = std::bit_cast<uint32_t>(value);
      continue;
    }
    const uint16_t half = layout.dtype == DType::f16 ? f32_to_f16(value) : f32_to_bf16(value);
    if (layout.dtype == DType::f16 && std::isfinite(value) && (half & 0x7fffu) == 0x7c00u) {
      return fail(ErrorCode::unsupported,
                  "tensor '{}' holds {}, f16 reaches 65504; use --precision f32",
                  printable(source.name), value);
    }
    put_u16(out, i, half);
  }
  return {};
}

/// The scales of a type that keeps them apart, as the plane wants them: f16 or f32.
Result<uint16_t> f16_scale(const TensorInfo& source, std::span<const std::byte> scales,
                           uint64_t i) {
  const auto* from = reinterpret_cast<const Byte*>(scales.data());
  if (source.scale_dtype == DType::f16) return load_u16(from + 2 * i);
  const float value =
      plain_value(source.scale_dtype, from + i * dtype_bytes(source.scale_dtype), 0);
  const uint16_t half = f32_to_f16(value);
  if (!std::isfinite(value) || (half & 0x7fffu) == 0x7c00u) {
    return fail(ErrorCode::unsupported, "tensor '{}' has a scale of {}, f16 reaches 65504",
                printable(source.name), value);
  }
  return half;
}

Result<void> repack_mlx(const TensorInfo& source, uint64_t row, const PlaneLayout& layout,
                        const RowPlanes& out) {
  std::memcpy(out[0], row_of(source.bytes, row, layout.in_dim / 2), layout.in_dim / 2);
  const uint64_t per_row = layout.in_dim / layout.group;
  for (uint64_t i = 0; i < per_row; ++i) {
    TRY(const uint16_t scale, f16_scale(source, source.scales, row * per_row + i));
    TRY(const uint16_t bias, f16_scale(source, source.biases, row * per_row + i));
    out[1][i] = uint32_t{scale} | uint32_t{bias} << 16;
  }
  return {};
}

/// Ten codes of 3 bits to a word, four words to a group of 40; only in_dim of them are wanted.
void repack_mlc_q3(const TensorInfo& source, uint64_t row, const PlaneLayout& layout,
                   const RowPlanes& out) {
  const uint32_t n_groups = (layout.in_dim + 39) / 40;
  const Byte* words = row_of(source.bytes, row, uint64_t{16} * n_groups);
  for (uint32_t first = 0; first < layout.in_dim; first += 32) {
    Byte codes[32];
    for (uint32_t i = 0; i < 32; ++i) {
      const uint32_t k = first + i;
      codes[i] = load_u32(words + k / 10 * 4) >> (3 * (k % 10)) & 7;
    }
    pack<2>(codes, 32, 0, out[0] + first / 16);
    pack<1>(codes, 32, 2, out[3] + first / 32);
  }
  const Byte* scales = row_of(source.scales, row, uint64_t{2} * n_groups);
  for (uint32_t g = 0; g < n_groups; ++g) put_u16(out[1], g, load_u16(scales + 2 * size_t{g}));
}

/// Codes that lie in the file as on the GPU, and their scales, which do so but for those of
/// mlc_q4f32 that MLC rounded to bf16.
void repack_grouped(const TensorInfo& source, uint64_t row, const PlaneLayout& layout,
                    const RowPlanes& out) {
  const uint64_t code_bytes = uint64_t{4} * layout.words(Plane::codes);
  std::memcpy(out[0], row_of(source.bytes, row, code_bytes), code_bytes);
  const uint64_t n_scales = layout.in_dim / layout.group;
  const uint64_t scale_bytes = n_scales * dtype_bytes(source.scale_dtype);
  const Byte* scales = row_of(source.scales, row, scale_bytes);
  if (source.scale_dtype != DType::bf16) {
    std::memcpy(out[1], scales, scale_bytes);
    return;
  }
  for (uint64_t i = 0; i < n_scales; ++i) {
    out[1][i] = std::bit_cast<uint32_t>(bf16_to_f32(load_u16(scales + 2 * i)));
  }
}

}  // namespace

Result<void> repack_row(const TensorInfo& source, uint64_t row, const PlaneLayout& layout,
                        const RowPlanes& out) {
  switch (source.dtype) {
    case DType::f32:
    case DType::f16:
    case DType::bf16: return repack_plain(source, row, layout, out[0]);
    case DType::mlx_q4: return repack_mlx(source, row, layout, out);
    case DType::mlc_q3: return repack_mlc_q3(source, row, layout, out), Result<void>();
    case DType::mlc_q4:
    case DType::mlc_q4f32:
    case DType::int8_block: return repack_grouped(source, row, layout, out), Result<void>();
    default: break;
  }
  const auto [values, bytes] = block_size(source.dtype);
  const uint32_t n_blocks = layout.in_dim / values;
  const Byte* block = row_of(source.bytes, row, uint64_t{n_blocks} * bytes);
  BlockRow blocks{.out = out};
  for (uint32_t b = 0; b < n_blocks; ++b) blocks.put(source.dtype, block + size_t{b} * bytes, b);
  return {};
}

Result<void> check_repackable(const TensorInfo& source, const std::string& where) {
  const uint32_t in_dim = source.shape.dim(source.shape.rank() - 1);
  if (!is_float(source.dtype) && !is_quantised(source.dtype)) {
    return fail(ErrorCode::unsupported,
                "{}: tensor '{}' has type {}, expected f32, f16, bf16 or a quantised type", where,
                printable(source.name), to_string(source.dtype));
  }
  // A group of 40 may be cut short by the row's end; the others may not.
  const uint32_t group = source.dtype == DType::mlc_q3 ? 32 : std::min(source.group, 128u);
  const uint32_t multiple = std::max(is_float(source.dtype) ? 4u : 32u, group);
  if (in_dim % multiple == 0) return {};
  return fail(ErrorCode::unsupported,
              "{}: tensor '{}' has rows of {} values, expected a multiple of {}", where,
              printable(source.name), in_dim, multiple);
}

}  // namespace handloom::formats
