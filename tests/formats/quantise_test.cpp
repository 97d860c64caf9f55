// From f32 to codes: how far a value may be from what it was, derived from each format; blocks that
// must come back as they were; and input that is refused.
#include "formats/quantise.h"

#include "base/half.h"
#include "formats/quantised.h"

#include "tests/formats/support.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

namespace handloom::formats {
namespace {

/// Values like a trained matrix's: nearly normal, by formula; every 61st an outlier.
std::vector<float> weights(size_t n, float scale) {
  std::vector<float> x(n);
  uint32_t state = 7;
  for (size_t i = 0; i < n; ++i) {
    float sum = 0;
    for (int k = 0; k < 4; ++k) {
      state = state * 1664525 + 1013904223;
      sum += static_cast<float>(state >> 8) * 0x1p-24f - 0.5f;
    }
    x[i] = scale * sum * (i % 61 == 0 ? 4.0f : 1.0f);
  }
  return x;
}

/// Distributions that encoders get wrong: one sign, constant, zero, one outlier, a ramp, a wave.
std::vector<std::vector<float>> inputs(size_t n) {
  std::vector<std::vector<float>> all = {weights(n, 0.04f),           weights(n, 3000),
                                         weights(n, 1e-6f),           std::vector<float>(n, 0.0f),
                                         std::vector<float>(n, 0.7f), std::vector<float>(n, -0.3f)};
  std::vector<float> positive = weights(n, 1), outlier(n, 0.001f), ramp(n), wave(n);
  for (size_t i = 0; i < n; ++i) {
    positive[i] = std::fabs(positive[i]) + 0.25f;
    if (i % 32 == 5) outlier[i] = -9;
    ramp[i] = static_cast<float>(i) / static_cast<float>(n) - 0.4f;
    wave[i] = std::sin(static_cast<float>(i) * 0.37f) * std::exp2(static_cast<float>(i % 97) - 60);
  }
  std::vector<float> negative = positive;
  for (float& x : negative) x = -x;
  for (auto& more : {positive, negative, outlier, ramp}) all.push_back(more);
  for (float& x : wave) x = std::clamp(x, -60000.0f, 60000.0f);
  all.push_back(wave);
  return all;
}

std::vector<std::byte> encoded(DType dtype, std::span<const float> x, uint32_t in_dim) {
  const auto [values, bytes] = block_size(dtype);
  std::vector<std::byte> out(x.size() / values * bytes, std::byte{0xee});
  const auto done = quantise_rows(dtype, x, in_dim, out);
  EXPECT_TRUE(done.has_value()) << done.error().message;
  return out;
}

std::vector<float> decoded(DType dtype, std::span<const std::byte> bytes, size_t n) {
  auto values = to_f32({"x", dtype, {static_cast<uint32_t>(n)}, bytes});
  EXPECT_TRUE(values.has_value()) << values.error().message;
  return values.value_or(std::vector<float>(n));
}

float half_at(std::span<const std::byte> bytes, size_t at) {
  return f16_to_f32(static_cast<uint16_t>(std::to_integer<uint32_t>(bytes[at]) |
                                          std::to_integer<uint32_t>(bytes[at + 1]) << 8));
}

/// Half a step, and what f32 loses on the way: the inverse of the step, its product with x and, for
/// q4_1, the differences, each 2^-24 of a number below 128 steps.
float half_step(float step, float steps) { return step * (0.5f + 4 * steps * 0x1p-24f); }

TEST(Quantise, Q8IsWithinHalfAStep) {
  for (const auto& x : inputs(512)) {
    const auto blocks = encoded(DType::q8_0, x, 64);
    const auto back = decoded(DType::q8_0, blocks, x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      const float d = half_at(blocks, i / 32 * 34);
      ASSERT_LE(std::fabs(back[i] - x[i]), half_step(d, 128)) << i << ": " << x[i];
    }
    // The step is no larger than need be: 127 of it, less f16's rounding, reach the largest value.
    for (size_t b = 0; b < x.size() / 32; ++b) {
      float most = 0;
      for (size_t i = 0; i < 32; ++i) most = std::max(most, std::fabs(x[32 * b + i]));
      ASSERT_LE(half_at(blocks, 34 * b), most / 127 * (1 + 0x1p-11f) + 0x1p-24f);
    }
  }
}

TEST(Quantise, Q41IsWithinHalfAStep) {
  for (const auto& x : inputs(512)) {
    const auto blocks = encoded(DType::q4_1, x, 512);
    const auto back = decoded(DType::q4_1, blocks, x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      const float d = half_at(blocks, i / 32 * 20), m = half_at(blocks, i / 32 * 20 + 2);
      ASSERT_LE(m, x[i]);
      const float rounding = 2 * 0x1p-24f * (std::fabs(x[i]) + std::fabs(m));  // x - m, d * q + m
      ASSERT_LE(std::fabs(back[i] - x[i]), half_step(d, 16) + rounding) << i << ": " << x[i];
    }
  }
}

TEST(Quantise, Q40IsNoWorseThanASymmetricGrid) {
  // One of the scales tried is max|x| / 7, whose errors are all within half a step.
  for (const auto& x : inputs(512)) {
    const auto back = decoded(DType::q4_0, encoded(DType::q4_0, x, 256), x.size());
    for (size_t b = 0; b < x.size() / 32; ++b) {
      double most = 0, squares = 0;
      for (size_t i = 32 * b; i < 32 * b + 32; ++i) {
        most = std::max(most, std::fabs(double{x[i]}));
        squares += (double{back[i]} - x[i]) * (double{back[i]} - x[i]);
      }
      const double step = most / 7 * (1 + 0x1p-11) + 0x1p-24;
      ASSERT_LE(std::sqrt(squares / 32), step * (0.5 + 0x1p-19)) << b;
    }
  }
}

double weighted_error(std::span<const float> x, std::span<const float> back, size_t n) {
  double error = 0;
  for (size_t first = 0; first < x.size(); first += n) {
    double mean = 0;
    for (size_t i = first; i < first + n; ++i) mean += double{x[i]} * x[i] / static_cast<double>(n);
    for (size_t i = first; i < first + n; ++i) {
      error += (mean + double{x[i]} * x[i]) * (double{back[i]} - x[i]) * (double{back[i]} - x[i]);
    }
  }
  return error;
}

/// What q4_k without a search gives: each 32 values' range cut in 15, steps and minima in 63 parts
/// of the block's largest, codes rounded.
std::vector<float> plain_q4_k(std::span<const float> x) {
  std::vector<float> back(x.size());
  for (size_t block = 0; block < x.size(); block += 256) {
    std::array<float, 8> steps{}, minima{};
    for (size_t j = 0; j < 8; ++j) {
      const auto sub = x.subspan(block + 32 * j, 32);
      minima[j] = std::max(0.0f, -*std::ranges::min_element(sub));
      steps[j] = std::max(0.0f, *std::ranges::max_element(sub) + minima[j]) / 15;
    }
    const float d = f16_to_f32(f32_to_f16(*std::ranges::max_element(steps) / 63));
    const float dmin = f16_to_f32(f32_to_f16(*std::ranges::max_element(minima) / 63));
    for (size_t i = block; i < block + 256; ++i) {
      const size_t j = (i - block) / 32;
      const float step = d * (d > 0 ? std::round(steps[j] / d) : 0);
      const float minimum = dmin * (dmin > 0 ? std::round(minima[j] / dmin) : 0);
      const float q = step > 0 ? std::clamp(std::round((x[i] + minimum) / step), 0.0f, 15.0f) : 0;
      back[i] = step * q - minimum;
    }
  }
  return back;
}

std::vector<float> plain_q6_k(std::span<const float> x) {
  std::vector<float> back(x.size());
  for (size_t block = 0; block < x.size(); block += 256) {
    std::array<float, 16> steps{};
    for (size_t i = block; i < block + 256; ++i) {
      float& step = steps[(i - block) / 16];
      step = std::max(step, std::fabs(x[i]) / 31);
    }
    const float d = f16_to_f32(f32_to_f16(*std::ranges::max_element(steps) / 127));
    for (size_t i = block; i < block + 256; ++i) {
      const float step = d * (d > 0 ? std::round(steps[(i - block) / 16] / d) : 0);
      back[i] = step * (step > 0 ? std::clamp(std::round(x[i] / step), -32.0f, 31.0f) : 0);
    }
  }
  return back;
}

TEST(Quantise, KTypesAreBetterThanWithoutASearch) {
  const auto x = weights(64 * 256, 0.04f);
  const auto q4 = decoded(DType::q4_k, encoded(DType::q4_k, x, 4096), x.size());
  EXPECT_LT(weighted_error(x, q4, 32), 0.85 * weighted_error(x, plain_q4_k(x), 32));
  const auto q6 = decoded(DType::q6_k, encoded(DType::q6_k, x, 4096), x.size());
  EXPECT_LT(weighted_error(x, q6, 16), 0.90 * weighted_error(x, plain_q6_k(x), 16));
}

/// What d as an f16 costs, however the codes are chosen: each value may be off by 2^-12 of itself.
double f16_error(std::span<const float> x, size_t n) {
  std::vector<float> off(x.begin(), x.end());
  for (float& value : off) value *= 1 + 0x1p-12f;
  return weighted_error(x, off, n);
}

TEST(Quantise, KTypesAreNeverMuchWorse) {
  for (const auto& x : inputs(1024)) {
    const auto q4 = decoded(DType::q4_k, encoded(DType::q4_k, x, 512), x.size());
    const auto q6 = decoded(DType::q6_k, encoded(DType::q6_k, x, 512), x.size());
    for (const float value : q4) ASSERT_TRUE(std::isfinite(value));
    EXPECT_LE(weighted_error(x, q4, 32),
              1.01 * weighted_error(x, plain_q4_k(x), 32) + f16_error(x, 32));
    EXPECT_LE(weighted_error(x, q6, 16),
              1.01 * weighted_error(x, plain_q6_k(x), 16) + f16_error(x, 16));
  }
}

TEST(Quantise, ValuesOfABlockComeBackExactly) {
  // d, dmin powers of two times small numbers; one sub-block has the largest scale and minimum, and
  // each has both ends of the codes, so that the grid is the only one that fits.
  std::vector<float> q4(256), q6(256), q8(256), q0(256);
  for (int i = 0; i < 256; ++i) {
    const int sub = i / 32, scale = 63 - 5 * sub, minimum = 63 - 7 * sub, code = (i * 7 + sub) % 16;
    q4[i] = 0x1.4p-9f * static_cast<float>(scale * code) - 0x1.8p-8f * static_cast<float>(minimum);
    const int scale6 = i / 16 % 2 ? -128 + 3 * (i / 32) : 127 - 4 * (i / 32), l = i % 16;
    q6[i] = 0x1.8p-12f * static_cast<float>(scale6 * (l == 0 ? -32 : l == 1 ? 31 : 4 * l - 30));
    q8[i] = 0x1.2p-7f * static_cast<float>(i % 32 == 3 ? -127 : (i * 37) % 255 - 127);
    q0[i] = 0x1.2p-7f * static_cast<float>((i * 5) % 16 - 8);
  }
  EXPECT_EQ(decoded(DType::q4_k, encoded(DType::q4_k, q4, 256), 256), q4);
  EXPECT_EQ(decoded(DType::q6_k, encoded(DType::q6_k, q6, 256), 256), q6);
  EXPECT_EQ(decoded(DType::q8_0, encoded(DType::q8_0, q8, 256), 256), q8);
  EXPECT_EQ(decoded(DType::q4_0, encoded(DType::q4_0, q0, 256), 256), q0);
}

TEST(Quantise, HalvesAreNearestAndRefusedBeyond) {
  const std::vector<float> x = {1.0f, 0x1.002p0f, 0x1.006p0f, 65519, -0.0f, 0x1p-25f, 0x1.8p-24f};
  const auto back = decoded(DType::f16, encoded(DType::f16, x, 7), 7);
  const std::vector<float> want = {1, 1, 0x1.008p0f, 65504, 0, 0, 0x1p-23f};
  EXPECT_EQ(back, want);
  EXPECT_TRUE(std::signbit(back[4]));
  std::vector<std::byte> out(2);
  const std::vector<float> beyond = {65520};
  expect_error(quantise_rows(DType::f16, beyond, 1, out), ErrorCode::invalid_argument,
               {"to f16: value 0 of row 0 is 65520"});
}

// ---- Scales apart
// --------------------------------------------------------------------------------

struct Kind {
  DType dtype;
  uint32_t group, code_bits;
  float most;
  DType scale_dtype;
};
constexpr Kind kKinds[] = {{DType::mlc_q4, 32, 4, 7, DType::f16},
                           {DType::mlc_q4f32, 32, 4, 7, DType::f32},
                           {DType::mlc_q3, 40, 3, 3, DType::f16},
                           {DType::int8_block, 32, 8, 127, DType::f32},
                           {DType::int8_block, 128, 8, 127, DType::f32}};

TEST(Quantise, GroupsAreWithinHalfAStep) {
  for (const Kind& kind : kKinds) {
    for (const uint32_t in_dim : {64u, 40u, 7u, 192u}) {
      SCOPED_TRACE(std::string(to_string(kind.dtype)) + " " + std::to_string(in_dim));
      const uint32_t rows = 5, n_groups = (in_dim + kind.group - 1) / kind.group;
      const uint32_t words = (kind.group + 32 / kind.code_bits - 1) / (32 / kind.code_bits);
      const size_t row_bytes = kind.code_bits == 8 ? in_dim : size_t{n_groups} * words * 4;
      for (const auto& x : inputs(size_t{rows} * in_dim)) {
        std::vector<std::byte> codes(rows * row_bytes, std::byte{0xee});
        std::vector<std::byte> scales(size_t{rows} * n_groups * dtype_bytes(kind.scale_dtype));
        ASSERT_DONE(quantise_groups(kind.dtype, x, in_dim, kind.group, codes, scales));
        const TensorInfo tensor{.name = "x",
                                .dtype = kind.dtype,
                                .shape = {rows, in_dim},
                                .bytes = codes,
                                .scales = scales,
                                .scale_dtype = kind.scale_dtype,
                                .group = kind.group};
        ASSERT_OK(const auto back, to_f32(tensor));
        ASSERT_OK(const auto steps, to_f32({"s", kind.scale_dtype, {rows, n_groups}, scales}));
        for (uint32_t i = 0; i < x.size(); ++i) {
          const float step = steps[i / in_dim * n_groups + i % in_dim / kind.group];
          // Times a step in f32 once more.
          const float rounding = std::fabs(x[i]) * 0x1p-23f + 0x1p-149f;
          ASSERT_LE(std::fabs(back[i] - x[i]), half_step(step, 128) + rounding)
              << i << ": " << x[i];
        }
      }
    }
  }
}

TEST(Quantise, GroupsWorkedOutByHand) {
  std::vector<float> x(41, 0.0f);
  x[0] = 3, x[1] = -3, x[9] = 1, x[10] = -2, x[40] = -0.75f;
  std::vector<std::byte> codes(32), scales(4);
  ASSERT_DONE(quantise_groups(DType::mlc_q3, x, 41, 40, codes, scales));
  uint32_t words[8];
  std::memcpy(words, codes.data(), sizeof words);
  const uint32_t zeros = 0b011'011'011'011'011'011'011'011'011'011;
  EXPECT_EQ(words[0], (zeros & ~0b111'111u & ~(7u << 27)) | 6u | 0u << 3 | 4u << 27);
  EXPECT_EQ(words[1], (zeros & ~7u) | 1u);
  EXPECT_EQ(words[3], zeros);
  EXPECT_EQ(words[4], 0u);  // -3 steps of 0.25, then padding
  EXPECT_EQ(half_at(scales, 0), 1);
  EXPECT_EQ(half_at(scales, 2), 0.25f);
}

TEST(Quantise, RefusesWhatHasNoCode) {
  constexpr auto invalid = ErrorCode::invalid_argument;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const DType dtype : {DType::q8_0, DType::q4_0, DType::q4_1, DType::q4_k, DType::q6_k}) {
    const auto [values, bytes] = block_size(dtype);
    std::vector<float> x(size_t{2} * values, 1);
    std::vector<std::byte> out(size_t{2} * bytes);
    ASSERT_DONE(quantise_rows(dtype, x, values, out));
    for (const auto& [bad, text] : {std::pair{std::nanf(""), "nan"}, std::pair{-kInfinity, "-inf"},
                                    std::pair{3e38f, "reaches"}}) {
      x[values + 2] = bad;
      expect_error(quantise_rows(dtype, x, values, out), invalid,
                   {"value 2 of row 1 is", text, to_string(dtype)});
    }
    x[values + 2] = 1;
    expect_error(quantise_rows(dtype, x, values + 1, out), invalid, {"whole rows"});
    expect_error(quantise_rows(dtype, x, 0, out), invalid, {"whole rows"});
    out.pop_back();
    expect_error(quantise_rows(dtype, x, values, out), invalid,
                 {"expected " + std::to_string(2 * bytes)});
  }
  const std::vector<float> x(32, 1);
  std::vector<std::byte> out(32), scales(4);
  expect_error(quantise_rows(DType::q5_k, x, 32, out), invalid, {"to q5_k: cannot be written"});
  expect_error(quantise_rows(DType::bf16, x, 32, out), invalid, {"to bf16"});
  expect_error(quantise_groups(DType::q8_0, x, 32, 32, out, scales), invalid, {"to q8_0"});
  expect_error(quantise_groups(DType::int8_block, x, 32, 40, out, scales), invalid,
               {"groups of 40"});
  expect_error(quantise_groups(DType::int8_block, x, 0, 32, out, scales), invalid, {"whole rows"});
  ASSERT_DONE(quantise_groups(DType::int8_block, x, 32, 32, out, scales));
  expect_error(quantise_groups(DType::int8_block, x, 16, 32, out, scales), invalid,
               {"room for 4 bytes of scales, expected 8"});
  const std::vector<float> nan(32, std::nanf(""));
  expect_error(quantise_groups(DType::int8_block, nan, 32, 32, out, scales), invalid, {"is nan"});
}

}  // namespace
}  // namespace handloom::formats
