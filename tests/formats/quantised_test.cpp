// What codes stand for: each type against a second formula that takes a block apart bit by bit and
// calculates in double, where nothing rounds until the end; blocks worked out by hand; and tensors
// whose bytes, scales or groups contradict their shape.
#include "formats/quantised.h"

#include "base/half.h"

#include "tests/formats/support.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace handloom::formats {
namespace {

using Bytes = std::vector<uint8_t>;

std::span<const std::byte> as_bytes(const Bytes& bytes) { return std::as_bytes(std::span(bytes)); }

/// Bytes without a pattern that a wrong index could share.
Bytes noise(size_t n, uint32_t seed) {
  Bytes bytes(n);
  uint32_t state = seed * 2654435761u + 12345;
  for (uint8_t& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<uint8_t>(state >> 24);
  }
  return bytes;
}

void put_u16(Bytes& bytes, size_t at, uint16_t value) {
  bytes[at] = static_cast<uint8_t>(value & 255);
  bytes[at + 1] = static_cast<uint8_t>(value >> 8);
}

/// `n` bits from bit `at` of the block on, taken one after the other, lowest first.
struct Block {
  const uint8_t* bytes;

  int bits(uint32_t at, uint32_t n) const {
    int value = 0;
    for (uint32_t i = 0; i < n; ++i) value += (bytes[(at + i) / 8] >> ((at + i) % 8) & 1) << i;
    return value;
  }
  int signed_byte(uint32_t byte) const {
    const int value = bits(8 * byte, 8);
    return value < 128 ? value : value - 256;
  }
  double half(uint32_t byte) const {
    const int sign = bits(8 * byte + 15, 1) ? -1 : 1, exponent = bits(8 * byte + 10, 5);
    const int mantissa = bits(8 * byte, 10);
    if (exponent == 0) return sign * std::ldexp(mantissa, -24);
    return sign * std::ldexp(1024 + mantissa, exponent - 25);
  }
};

/// A block of 32 with 4-bit codes from byte `at` on: 16 values in low halves, then 16 in high ones.
int code32(const Block& b, uint32_t at, uint32_t i) {
  return i < 16 ? b.bits(8 * (at + i), 4) : b.bits(8 * (at + i - 16) + 4, 4);
}

/// K types: `parts` values share a byte, 32 bytes after one another.
int code256(const Block& b, uint32_t at, uint32_t width, uint32_t i) {
  const uint32_t parts = 8 / width, turn = i / (32 * parts), in_turn = i % (32 * parts);
  return b.bits(8 * (at + 32 * turn + in_turn % 32) + width * (in_turn / 32), width);
}

int k_scale(const Block& b, uint32_t at, uint32_t j) {
  if (j < 4) return b.bits(8 * (at + j), 6);
  return b.bits(8 * (at + 4 + j), 4) + 16 * b.bits(8 * (at + j - 4) + 6, 2);
}
int k_minimum(const Block& b, uint32_t at, uint32_t j) {
  if (j < 4) return b.bits(8 * (at + 4 + j), 6);
  return b.bits(8 * (at + 4 + j) + 4, 4) + 16 * b.bits(8 * (at + j) + 6, 2);
}
int q3_k_scale(const Block& b, uint32_t j) {
  const int low = j < 8 ? b.bits(8 * (96 + j), 4) : b.bits(8 * (96 + j - 8) + 4, 4);
  return low + 16 * b.bits(8 * (104 + j % 4) + 2 * (j / 4), 2) - 32;
}
int q6_k_code(const Block& b, uint32_t i) {
  const uint32_t half = i / 128, in_half = i % 128;
  const uint32_t low_at = 8 * (64 * half + in_half % 64) + (in_half < 64 ? 0 : 4);
  return b.bits(low_at, 4) + 16 * b.bits(8 * (128 + 32 * half + i % 32) + in_half / 32 * 2, 2) - 32;
}

double e2m1(int code) {
  const int exponent = code >> 1 & 3, mantissa = code & 1;
  const double value = exponent == 0 ? 0.5 * mantissa : std::ldexp(2 + mantissa, exponent - 2);
  return code & 8 ? -value : value;
}

double expected(DType dtype, const Block& b, uint32_t i) {
  static constexpr double kIq4[] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                    1,    13,   25,  38,  53,  69,  89,  113};
  switch (dtype) {
    case DType::q4_0: return b.half(0) * (code32(b, 2, i) - 8);
    case DType::q4_1: return b.half(0) * code32(b, 4, i) + b.half(2);
    case DType::q5_0: return b.half(0) * (code32(b, 6, i) + 16 * b.bits(16 + i, 1) - 16);
    case DType::q5_1: return b.half(0) * (code32(b, 8, i) + 16 * b.bits(32 + i, 1)) + b.half(2);
    case DType::q8_0: return b.half(0) * b.signed_byte(2 + i);
    case DType::iq4_nl: return b.half(0) * kIq4[code32(b, 2, i)];
    case DType::mxfp4: return std::ldexp(e2m1(code32(b, 1, i)), b.bits(0, 8) - 127);
    case DType::q2_k:
      return b.half(80) * b.bits(8 * (i / 16), 4) * code256(b, 16, 2, i) -
             b.half(82) * b.bits(8 * (i / 16) + 4, 4);
    case DType::q3_k: {
      const int q = code256(b, 32, 2, i) - (code256(b, 0, 1, i) ? 0 : 4);
      return b.half(108) * q3_k_scale(b, i / 16) * q;
    }
    case DType::q4_k:
      return b.half(0) * k_scale(b, 4, i / 32) * code256(b, 16, 4, i) -
             b.half(2) * k_minimum(b, 4, i / 32);
    case DType::q5_k: {
      const int q = code256(b, 48, 4, i) + 16 * code256(b, 16, 1, i);
      return b.half(0) * k_scale(b, 4, i / 32) * q - b.half(2) * k_minimum(b, 4, i / 32);
    }
    case DType::q6_k: return b.half(208) * b.signed_byte(192 + i / 16) * q6_k_code(b, i);
    default: return NAN;
  }
}

struct BlockType {
  DType dtype;
  std::vector<uint32_t> halves;  // where d, and perhaps dmin or m, begin
};

const std::vector<BlockType> kBlockTypes = {
    {DType::q4_0, {0}},   {DType::q4_1, {0, 2}}, {DType::q5_0, {0}},    {DType::q5_1, {0, 2}},
    {DType::q8_0, {0}},   {DType::iq4_nl, {0}},  {DType::mxfp4, {}},    {DType::q2_k, {80, 82}},
    {DType::q3_k, {108}}, {DType::q4_k, {0, 2}}, {DType::q5_k, {0, 2}}, {DType::q6_k, {208}},
};

/// 0, the least and the greatest subnormal, the least normal, 1/3, -1.5, the greatest.
constexpr uint16_t kHalves[] = {0x0000, 0x0001, 0x03ff, 0x0400, 0x3555, 0xbe00, 0x7bff};

TEST(Quantised, EveryBlockTypeIsItsFormulaToTheBit) {
  for (const auto& [dtype, halves] : kBlockTypes) {
    SCOPED_TRACE(to_string(dtype));
    const auto [values, bytes] = block_size(dtype);
    constexpr uint32_t kBlocks = 49;  // each pair of kHalves
    Bytes data = noise(size_t{kBlocks} * bytes, bytes);
    for (uint32_t b = 0; b < kBlocks; ++b) {
      for (size_t h = 0; h < halves.size(); ++h) {
        put_u16(data, size_t{b} * bytes + halves[h], kHalves[h == 0 ? b % 7 : b / 7]);
      }
      if (dtype == DType::mxfp4) data[size_t{b} * bytes] = static_cast<uint8_t>(5 * b);  // 0 .. 240
    }
    ASSERT_OK(const auto got, to_f32({"x", dtype, {7, 7 * values}, as_bytes(data)}));
    ASSERT_EQ(got.size(), size_t{kBlocks} * values);
    for (uint32_t i = 0; i < got.size(); ++i) {
      const Block block{data.data() + size_t{i / values} * bytes};
      // In double both products and their sum are exact: they have at most 26 + 24 bits.
      ASSERT_EQ(got[i], static_cast<float>(expected(dtype, block, i % values))) << i;
    }
  }
}

TEST(Quantised, KProductsAreExactInF32) {
  // block_values.h's claim, over every pair of d and dmin above, scale, minimum and code.
  for (const uint16_t bits : kHalves) {
    const float d = f16_to_f32(bits);
    for (int scale = -128; scale <= 127; ++scale) {
      for (int q = -32; q <= 31; ++q) {
        const float product = d * static_cast<float>(scale) * static_cast<float>(q);
        ASSERT_EQ(double{product}, double{d} * scale * q) << bits << " " << scale << " " << q;
      }
    }
  }
}

TEST(Quantised, BlocksWorkedOutByHand) {
  const auto values_of = [](DType dtype, const Bytes& block) {
    const uint32_t n = block_size(dtype).values;
    std::vector<float> out(n);
    const auto done = dequantise_rows({"x", dtype, {n}, as_bytes(block)}, 0, 1, out);
    EXPECT_TRUE(done.has_value()) << done.error().message;
    return out;
  };
  Bytes q4(18, 0x88);      // code 8 is zero
  put_u16(q4, 0, 0x3800);  // 0.5
  q4[2] = 0xf0, q4[17] = 0x9a;
  std::vector<float> x = values_of(DType::q4_0, q4);
  EXPECT_EQ(x[0], -4);
  EXPECT_EQ(x[16], 3.5f);
  EXPECT_EQ(x[15], 1);
  EXPECT_EQ(x[31], 0.5f);
  EXPECT_EQ(x[1], 0);
  x = values_of(DType::iq4_nl, q4);
  EXPECT_EQ(x[0], -63.5f);
  EXPECT_EQ(x[16], 56.5f);
  EXPECT_EQ(x[15], 12.5f);
  EXPECT_EQ(x[1], 0.5f);

  Bytes mx(17, 0);
  mx[0] = 128, mx[1] = 0xf7, mx[2] = 0x21;  // 2 * {6, -6, 0.5, 1}
  x = values_of(DType::mxfp4, mx);
  EXPECT_EQ(x[0], 12);
  EXPECT_EQ(x[16], -12);
  EXPECT_EQ(x[1], 1);
  EXPECT_EQ(x[17], 2);
  mx[0] = 0;  // 2^-127 * 0.5 is a subnormal f32
  EXPECT_EQ(values_of(DType::mxfp4, mx)[1], 0x1p-128f);
  mx[0] = 255;
  EXPECT_EQ(values_of(DType::mxfp4, mx)[0], INFINITY);
  EXPECT_EQ(values_of(DType::mxfp4, mx)[1], 0x1p127f);

  Bytes q5(22, 0);
  put_u16(q5, 0, 0x3c00);
  q5[5] = 0x80, q5[21] = 0xf0;  // value 31 has its upper bit: 31 - 16
  x = values_of(DType::q5_0, q5);
  EXPECT_EQ(x[31], 15);
  EXPECT_EQ(x[30], -16);
  EXPECT_EQ(x[15], -16);

  Bytes q6(210, 0);  // all codes -32
  put_u16(q6, 208, 0x4000);
  q6[192] = 3, q6[207] = 0x80;
  x = values_of(DType::q6_k, q6);
  EXPECT_EQ(x[0], 2 * 3 * -32);
  EXPECT_EQ(x[16], 0);
  EXPECT_EQ(x[255], 2 * -128 * -32);

  Bytes q4k(144, 0);
  put_u16(q4k, 0, 0x3c00), put_u16(q4k, 2, 0x3800);  // d = 1, dmin = 0.5
  q4k[4] = 0xc0 | 5, q4k[8] = 0x40 | 6;              // scale 0: 5; of 4 the top 3; minima: 6; top 1
  q4k[12] = 0x21;                                    // of 4: scale 48 + 1, minimum 16 + 2
  q4k[16] = 0x0f, q4k[16 + 64] = 0x07;               // values 0 and 128
  x = values_of(DType::q4_k, q4k);
  EXPECT_EQ(x[0], 5 * 15 - 0.5f * 6);
  EXPECT_EQ(x[1], -3);
  EXPECT_EQ(x[128], 49 * 7 - 0.5f * 18);
  EXPECT_EQ(x[129], -9);
  EXPECT_EQ(x[255], 0);
}

// ---- Scales apart
// --------------------------------------------------------------------------------

/// A tensor of a type that keeps scales apart, and its bytes.
struct Grouped {
  DType dtype;
  uint32_t rows, in_dim, group;
  DType scale_dtype;
  Bytes codes, scales, biases;

  uint32_t groups() const { return (in_dim + group - 1) / group; }
  TensorInfo info() const {
    return {.name = "w",
            .dtype = dtype,
            .shape = {rows, in_dim},
            .bytes = as_bytes(codes),
            .scales = as_bytes(scales),
            .biases = as_bytes(biases),
            .scale_dtype = scale_dtype,
            .group = group};
  }
};

/// Scales that are finite: the lower exponent bits of noise.
Bytes finite(DType dtype, size_t n, uint32_t seed) {
  const uint32_t width = dtype_bytes(dtype);
  Bytes bytes = noise(n * width, seed);
  for (size_t i = 0; i < n; ++i) bytes[i * width + width - 1] &= 0xbf;
  return bytes;
}

Grouped grouped(DType dtype, uint32_t rows, uint32_t in_dim, uint32_t group, DType scale_dtype) {
  Grouped t{dtype, rows, in_dim, group, scale_dtype, {}, {}, {}};
  size_t row_bytes = in_dim;
  if (dtype == DType::mlx_q4) row_bytes = in_dim / 2;
  if (dtype == DType::mlc_q4 || dtype == DType::mlc_q4f32) row_bytes = size_t{t.groups()} * 16;
  if (dtype == DType::mlc_q3) row_bytes = size_t{t.groups()} * 16;  // ten codes a word
  t.codes = noise(rows * row_bytes, in_dim);
  t.scales = finite(scale_dtype, size_t{rows} * t.groups(), 3);
  if (dtype == DType::mlx_q4) t.biases = finite(scale_dtype, size_t{rows} * t.groups(), 4);
  return t;
}

/// One number of an array, through bits rather than half.h.
double number(DType dtype, const Bytes& array, size_t i) {
  const Block b{array.data() + i * dtype_bytes(dtype)};
  if (dtype == DType::f16) return b.half(0);
  const uint32_t low = dtype == DType::f32 ? static_cast<uint32_t>(b.bits(0, 16)) : 0;
  const uint32_t high = static_cast<uint32_t>(b.bits(dtype == DType::f32 ? 16 : 0, 16));
  return std::bit_cast<float>(high << 16 | low);
}

double expected(const Grouped& t, uint32_t row, uint32_t i) {
  const size_t g = size_t{row} * t.groups() + i / t.group;
  const double scale = number(t.scale_dtype, t.scales, g);
  const Block codes{t.codes.data() + t.codes.size() / t.rows * row};
  switch (t.dtype) {
    case DType::mlc_q4:
    case DType::mlc_q4f32: return (codes.bits(4 * i, 4) - 7) * scale;
    case DType::mlc_q3: return (codes.bits(i / 10 * 32 + i % 10 * 3, 3) - 3) * scale;
    case DType::int8_block: return codes.signed_byte(i) * scale;
    default: {
      const auto product = static_cast<float>(scale * codes.bits(4 * i, 4));
      return double{product} + number(t.scale_dtype, t.biases, g);
    }
  }
}

TEST(Quantised, EveryGroupedTypeIsItsFormulaToTheBit) {
  constexpr auto f16 = DType::f16, f32 = DType::f32, bf16 = DType::bf16;
  for (const Grouped& t :
       {grouped(DType::mlc_q4, 3, 96, 32, f16), grouped(DType::mlc_q4, 2, 40, 32, f16),
        grouped(DType::mlc_q4f32, 3, 64, 32, f32), grouped(DType::mlc_q3, 3, 80, 40, f16),
        grouped(DType::mlc_q3, 5, 96, 40, f16), grouped(DType::mlc_q3, 2, 7, 40, f16),
        grouped(DType::int8_block, 3, 64, 32, f32), grouped(DType::int8_block, 3, 192, 64, f32),
        grouped(DType::int8_block, 3, 130, 128, f32), grouped(DType::mlx_q4, 3, 64, 32, f16),
        grouped(DType::mlx_q4, 3, 128, 64, bf16), grouped(DType::mlx_q4, 2, 256, 128, f32)}) {
    SCOPED_TRACE(std::string(to_string(t.dtype)) + " " + to_string(Shape({t.rows, t.in_dim})));
    ASSERT_OK(const auto got, to_f32(t.info()));
    ASSERT_EQ(got.size(), size_t{t.rows} * t.in_dim);
    for (uint32_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(got[i], static_cast<float>(expected(t, i / t.in_dim, i % t.in_dim))) << i;
    }
  }
}

TEST(Quantised, RowsAreThoseOfTheWhole) {
  const Bytes data = noise(3 * 5 * 2 * 18, 8);
  const Grouped q3 = grouped(DType::mlc_q3, 15, 64, 40, DType::f16);
  TensorInfo deep = q3.info();
  deep.shape = {3, 5, 64};
  for (const TensorInfo& tensor :
       {TensorInfo{"x", DType::iq4_nl, {3, 5, 64}, as_bytes(data)}, deep}) {
    ASSERT_OK(const auto all, to_f32(tensor));
    std::vector<float> rows(4 * 64 + 2, -7.5f);
    ASSERT_DONE(dequantise_rows(tensor, 9, 4, std::span(rows).subspan(1, 4 * 64)));
    EXPECT_EQ(rows.front(), -7.5f);
    EXPECT_EQ(rows.back(), -7.5f);
    for (size_t i = 0; i < 4 * 64; ++i) {
      // As bits: noise may hold a NaN for a scale.
      ASSERT_EQ(std::bit_cast<uint32_t>(rows[i + 1]), std::bit_cast<uint32_t>(all[9 * 64 + i]));
    }
  }
}

TEST(Quantised, PlainTypesScalarsAndEmptyOnes) {
  const Bytes two = {0x00, 0x3c, 0xc0, 0x3f};
  ASSERT_OK(const auto scalar, to_f32({"x", DType::bf16, {}, as_bytes(two).subspan(2)}));
  EXPECT_EQ(scalar, std::vector<float>{1.5f});
  std::vector<float> one(1);
  ASSERT_DONE(dequantise_rows({"x", DType::f16, {2, 1}, as_bytes(two)}, 0, 1, one));
  EXPECT_EQ(one[0], 1);
  ASSERT_OK(const auto none, to_f32({"x", DType::q4_k, {~0u, ~0u, ~0u, 0}, {}}));
  EXPECT_TRUE(none.empty());
  ASSERT_OK(const auto no_rows, to_f32({"x", DType::q4_0, {0, 32}, {}}));
  EXPECT_TRUE(no_rows.empty());
}

TEST(Quantised, RefusesContradictions) {
  constexpr auto invalid = ErrorCode::invalid_argument;
  const Bytes data = noise(4 * 18, 1);
  const TensorInfo q4{"x", DType::q4_0, {2, 64}, as_bytes(data)};
  std::vector<float> out(64);
  ASSERT_DONE(dequantise_rows(q4, 1, 1, out));
  expect_error(dequantise_rows(q4, 2, 1, out), invalid,
               {"'x'", "has 2 rows, asked for 1 from row 2"});
  expect_error(dequantise_rows(q4, ~0ull, 2, out), invalid, {"has 2 rows"});
  expect_error(dequantise_rows(q4, 1, ~0ull, out), invalid, {"has 2 rows"});
  expect_error(dequantise_rows(q4, 0, 2, out), invalid, {"64 values", "expected 128"});

  TensorInfo bad = q4;
  bad.bytes = bad.bytes.subspan(0, 71);
  expect_error(to_f32(bad), invalid, {"has 71 bytes, expected 72 for q4_0 [2, 64]"});
  bad = q4, bad.shape = {2, 48};
  expect_error(to_f32(bad), invalid, {"rows of 48 values, expected a multiple of 32"});
  bad = q4, bad.shape = {~0u, ~0u, ~0u, 32};
  expect_error(to_f32(bad), invalid, {"more than any memory"});
  bad = q4, bad.scales = bad.bytes;
  expect_error(to_f32(bad), invalid, {"72 bytes of scales, expected 0"});
  expect_error(to_f32({"x", DType::i32, {18}, as_bytes(data)}), ErrorCode::unsupported,
               {"'x': has type i32"});
}

TEST(Quantised, RefusesGroupsThatAreNotThere) {
  constexpr auto invalid = ErrorCode::invalid_argument;
  const Grouped mlx = grouped(DType::mlx_q4, 2, 128, 64, DType::bf16);
  const auto with = [&](auto change) {
    TensorInfo tensor = mlx.info();
    change(tensor);
    return to_f32(tensor);
  };
  expect_error(with([](auto& t) { t.group = 0; }), invalid,
               {"groups of 0 values, expected 32, 64"});
  expect_error(with([](auto& t) { t.group = 40; }), invalid, {"groups of 40"});
  expect_error(with([](auto& t) { t.group = 32; }), invalid, {"8 bytes of scales, expected 16"});
  expect_error(with([](auto& t) { t.scale_dtype = DType::i32; }), invalid, {"scales of type i32"});
  expect_error(with([](auto& t) { t.scale_dtype = DType::q4_0; }), invalid,
               {"scales of type q4_0"});
  expect_error(with([](auto& t) { t.biases = {}; }), invalid, {"0 bytes of biases, expected 8"});
  expect_error(with([](auto& t) { t.shape = {2, 96}; }), invalid, {"rows of 96", "multiple of 64"});
  expect_error(with([](auto& t) { t.bytes = t.bytes.subspan(0, 64); }), invalid,
               {"64 bytes, expected 128"});

  TensorInfo q3 = grouped(DType::mlc_q3, 2, 96, 40, DType::f16).info();
  q3.group = 32;
  expect_error(check_size(q3), invalid, {"groups of 32 values, expected 40"});
  q3.group = 40, q3.shape = {2, 121};  // one value more than three groups
  expect_error(check_size(q3), invalid, {"bytes, expected 128"});
  q3.shape = {~0u, ~0u, ~0u, ~0u};
  expect_error(check_size(q3), invalid, {"more than any memory"});
  TensorInfo int8 = grouped(DType::int8_block, 2, 64, 32, DType::f32).info();
  int8.scale_dtype = DType::f16;
  expect_error(check_size(int8), invalid, {"scales of type f16"});
}

}  // namespace
}  // namespace handloom::formats
