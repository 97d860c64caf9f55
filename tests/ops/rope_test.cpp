// rope against reference::rope, for the whole head and for a part of it.
#include "ops/rope.h"
#include "reference/rope.h"
#include "tests/ops/kv_pages.h"
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

std::vector<float> make_inv_freq(uint32_t rope_dim) {
  std::vector<float> inv_freq(rope_dim / 2);
  for (size_t i = 0; i < inv_freq.size(); ++i) {
    inv_freq[i] = static_cast<float>(std::pow(10000.0, -2.0 * static_cast<double>(i) / rope_dim));
  }
  return inv_freq;
}

Host make_cos_sin(const std::vector<float>& inv_freq, uint32_t max_positions) {
  Host table({max_positions, static_cast<uint32_t>(inv_freq.size()), 2});
  for (uint32_t p = 0; p < max_positions; ++p) {
    for (size_t i = 0; i < inv_freq.size(); ++i) {
      const double angle = static_cast<float>(p) * inv_freq[i];
      table.values[2 * (p * inv_freq.size() + i)] = static_cast<float>(std::cos(angle));
      table.values[2 * (p * inv_freq.size() + i) + 1] = static_cast<float>(std::sin(angle));
    }
  }
  return table;
}

/// The length of the pair that each rotated value belongs to; 0 for what must stay as it is.
Host pair_lengths(const Host& qkv, const ops::Heads& heads, uint32_t half_dim) {
  Host lengths(qkv.shape);
  for (size_t r = 0; r < qkv.n_rows(); ++r) {
    for (uint32_t h = 0; h < heads.n_heads + heads.n_kv_heads; ++h) {
      for (uint32_t i = 0; i < half_dim; ++i) {
        const size_t first = size_t{h} * heads.head_dim + i;
        const float length = std::hypot(qkv.row(r)[first], qkv.row(r)[first + half_dim]);
        lengths.row(r)[first] = lengths.row(r)[first + half_dim] = length;
      }
    }
  }
  return lengths;
}

void check_rope(const ops::Heads& heads, uint32_t rope_dim,
                const std::vector<uint32_t>& positions) {
  const uint32_t rows = static_cast<uint32_t>(positions.size());
  const std::vector<float> inv_freq = make_inv_freq(rope_dim);
  Host qkv = ramp({rows, heads.row_dim()}, 1);
  GpuRun run(device().adapter().features);
  const gpu::Tensor qkv_gpu = run.inout("qkv", qkv);
  ops::rope(run.encoder(), run.in("positions", positions),
            run.in("cos_sin", make_cos_sin(inv_freq, kLongest)), qkv_gpu, heads);
  const Case where{"rope", fmt::format("{} rope_dim {} rows {}", describe(heads), rope_dim, rows),
                   "rope"};
  ASSERT_TRUE(run.run()) << where.shape;
  // |a cos| + |b sin| <= the pair's length * sqrt(2), each with the roundings of the table and of
  // the product, then one sum, and the reference.
  const Tolerance tolerance{.roundings = 1.5 * 3 + 1,
                            .magnitude = pair_lengths(qkv, heads, rope_dim / 2)};
  reference::rope(qkv, positions, inv_freq, heads.n_heads + heads.n_kv_heads, heads.head_dim);
  EXPECT_TRUE(is_close(where, run.values(qkv_gpu), qkv, tolerance));
}

TEST(Rope, MatchesTheReference) {
  for_each_heads([](const ops::Heads& heads) { check_rope(heads, heads.head_dim, kPositions); });
}

TEST(Rope, TurnsOnlyTheFirstRopeDimOfAHead) {
  check_rope({.n_heads = 4, .n_kv_heads = 2, .head_dim = 80}, 32, kPositions);
  check_rope({.n_heads = 4, .n_kv_heads = 2, .head_dim = 80}, 2, kPositions);
}

TEST(Rope, MatchesTheReferenceForAnyNumberOfRows) {
  for (const uint32_t rows : {1, 3, 4, 5, 31, 32, 33, 65}) {
    std::vector<uint32_t> positions(rows);
    for (uint32_t r = 0; r < rows; ++r) positions[r] = (r * 37 + 5) % kLongest;
    check_rope({.n_heads = 4, .n_kv_heads = 2, .head_dim = 32}, 32, positions);
  }
}

TEST(Rope, RefusesWrongShapes) {
  const auto message = [](Shape cos_sin, Shape qkv) {
    return refusal([&](gpu::Encoder& enc) {
      ops::rope(enc, u32({2}, "positions"), f32(cos_sin, "cos_sin"), f32(qkv, "qkv"),
                {.n_heads = 4, .n_kv_heads = 2, .head_dim = 8});
    });
  };
  EXPECT_EQ(message({9, 4, 2}, {2, 60}), "rope: qkv 'qkv' has shape [2, 60], expected [2, 64]");
  EXPECT_EQ(message({9, 4, 1}, {2, 64}),
            "rope: cos_sin 'cos_sin' has shape [9, 4, 1], expected [9, 4, 2]");
  // A pair beyond the head would turn values of the next one.
  EXPECT_EQ(message({9, 5, 2}, {2, 64}), "rope: rope_dim is 10, expected at most 8");
}

}  // namespace
}  // namespace handloom::test
