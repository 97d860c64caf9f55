// rope against reference::rope, for the whole head and for a part of it.
#include "ops/rope.h"
#include "reference/rope.h"
#include "checks/rope_data.h"
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

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
  const Tolerance tolerance{.roundings = kRotation,
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
