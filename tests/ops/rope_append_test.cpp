// rope_append against reference::qk_norm and reference::rope, one after the other: queries in their
// row, keys and values in pages of every type. What was in the other slots stays, bit for bit.
#include "ops/rope_append.h"
#include "reference/qk_norm.h"
#include "reference/rope.h"
#include "tests/ops/appended.h"
#include "checks/rope_data.h"
#include "tests/support/gpu_run.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

constexpr float kEps = 1e-5f;

/// The row as attention and the cache want it, and what bounds its error.
struct Expected {
  Host row;
  Tolerance tolerance;
};

/// Values pass as they are. Queries and keys: the norm's roundings, as qk_norm_test derives them,
/// and a rotation's, relative to the length of the pair; without a rotation, of the value itself.
Expected expected(const Host& qkv, const ops::Heads& heads, uint32_t rope_dim, uint32_t position,
                  const Host* q_weight, const Host* k_weight) {
  Expected e{.row = qkv, .tolerance = {}};
  double norm = 0;
  if (q_weight != nullptr) {
    reference::qk_norm(e.row, *q_weight, *k_weight, heads.n_heads, heads.n_kv_heads, heads.head_dim,
                       kEps);
    norm = heads.head_dim / 2.0 + kDivision / 2 + 0.5 + kInverseSqrt + 2 + 1;
  }
  e.tolerance = {.roundings = norm + kRotation,
                 .magnitude = pair_lengths(e.row, heads, rope_dim / 2)};
  const uint32_t n_rotated = (heads.n_heads + heads.n_kv_heads) * heads.head_dim;
  for (uint32_t i = 0; norm > 0 && i < n_rotated; ++i) {
    float& magnitude = e.tolerance.magnitude.values[i];
    magnitude = std::max(magnitude, std::abs(e.row.values[i]));
  }
  reference::rope(e.row, std::span(&position, 1), make_inv_freq(rope_dim),
                  heads.n_heads + heads.n_kv_heads, heads.head_dim);
  return e;
}

struct RopeAppendCase {
  ops::Heads heads;
  uint32_t rope_dim = 0, position = 0;
  DType type = DType::f32;
  bool norms = false;
};

std::string check_rope_append(const RopeAppendCase& c, const Features& features) {
  const ops::Heads& heads = c.heads;
  const Host before = ramp({1, heads.row_dim()}, 1);
  const Host q_weight = ramp({heads.head_dim}, 3), k_weight = ramp({heads.head_dim}, 4);
  Host kv = ramp({kPages, 2 * heads.n_kv_heads, reference::kPageSize, heads.head_dim}, 2);
  if (c.type != DType::i8) reference::round_to(kv.values, c.type);
  GpuRun run(features);
  const gpu::Tensor qkv = run.inout("qkv", before);
  const gpu::Tensor pages =
      run.inout("kv", pages_shape(kv, c.type), c.type, page_words(kv, c.type));
  ops::rope_append(run.encoder(),
                   {.positions = run.in("positions", std::vector<uint32_t>{c.position}),
                    .cos_sin = run.in("cos_sin", make_cos_sin(make_inv_freq(c.rope_dim), kLongest)),
                    .q_weight = c.norms ? run.in("q_weight", q_weight) : gpu::Tensor(),
                    .k_weight = c.norms ? run.in("k_weight", k_weight) : gpu::Tensor(),
                    .page_table = run.in("page_table", kPageTable),
                    .qkv = qkv,
                    .kv = pages,
                    .heads = heads,
                    .eps = kEps});
  Case where{"rope_append",
             fmt::format("{} rope_dim {} position {} norms {}", describe(heads), c.rope_dim,
                         c.position, c.norms),
             ""};
  const auto ran = run.run();
  EXPECT_TRUE(ran) << where.shape;
  if (!ran) return "";
  where.variant = run.kernels()[0];
  const Expected want = expected(before, heads, c.rope_dim, c.position,
                                 c.norms ? &q_weight : nullptr, c.norms ? &k_weight : nullptr);
  // Keys and values stay in the row as they were.
  Host row = before;
  std::copy_n(want.row.values.begin(), heads.n_heads * heads.head_dim, row.values.begin());
  Tolerance in_row = want.tolerance;
  std::fill(in_row.magnitude.values.begin() + heads.n_heads * heads.head_dim,
            in_row.magnitude.values.end(), 0.0f);
  EXPECT_TRUE(is_close(where, run.values(qkv), row, in_row));
  EXPECT_TRUE(holds_row(where, run.words(pages), c.type,
                        {.kv = kv,
                         .page_table = kPageTable,
                         .position = c.position,
                         .row = want.row,
                         .tolerance = want.tolerance}));
  return where.variant;
}

TEST(RopeAppend, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen;
  for (const Features& features : feature_sets()) {
    for (const DType type : kKvTypes) {
      for_each_heads([&](const ops::Heads& heads) {
        for (const bool norms : {false, true}) {
          seen.insert(check_rope_append({.heads = heads,
                                         .rope_dim = heads.head_dim,
                                         .position = norms ? 62u : 129u,
                                         .type = type,
                                         .norms = norms},
                                        features));
        }
      });
    }
  }
  EXPECT_EQ(seen, supported_variants("rope_append"));
}

TEST(RopeAppend, TurnsOnlyTheFirstRopeDimOfAHead) {
  for (const DType type : kKvTypes) {
    for (const uint32_t rope_dim : {2, 32, 78}) {
      for (const bool norms : {false, true}) {
        check_rope_append({.heads = {.n_heads = 4, .n_kv_heads = 2, .head_dim = 80},
                           .rope_dim = rope_dim,
                           .position = 63,
                           .type = type,
                           .norms = norms},
                          device().adapter().features);
      }
    }
  }
}

TEST(RopeAppend, FindsTheSlotOfEveryPosition) {
  for (const uint32_t position : kPositions) {
    check_rope_append({.heads = {.n_heads = 2, .n_kv_heads = 2, .head_dim = 32},
                       .rope_dim = 32,
                       .position = position,
                       .type = DType::f16},
                      device().adapter().features);
  }
}

TEST(RopeAppend, RefusesWrongShapes) {
  const auto message = [](Shape qkv, Shape kv, uint32_t half_dim, Shape k_weight,
                          ops::Heads heads) {
    return refusal([&](gpu::Encoder& enc) {
      ops::rope_append(enc, {.positions = u32({1}, "positions"),
                             .cos_sin = f32({9, half_dim, 2}, "cos_sin"),
                             .q_weight = f32({heads.head_dim}, "q_norm"),
                             .k_weight = f32(k_weight, "k_norm"),
                             .page_table = u32({3}, "page_table"),
                             .qkv = f32(qkv, "qkv"),
                             .kv = f32(kv, "kv"),
                             .heads = heads});
    });
  };
  const ops::Heads heads{.n_heads = 4, .n_kv_heads = 2, .head_dim = 8};
  EXPECT_EQ(message({2, 64}, {3, 4, 16, 8}, 4, {8}, heads),
            "rope_append: qkv 'qkv' has shape [2, 64], expected [1, 64]");
  EXPECT_EQ(message({1, 64}, {3, 2, 16, 8}, 4, {8}, heads),
            "rope_append: kv 'kv' has shape [3, 2, 16, 8], expected [3, 4, 16, 8]");
  EXPECT_EQ(message({1, 64}, {3, 4, 16, 8}, 5, {8}, heads),
            "rope_append: rope_dim is 10, expected at most 8");
  EXPECT_EQ(message({1, 64}, {3, 4, 16, 8}, 4, {4}, heads),
            "rope_append: weight 'k_norm' has shape [4], expected [8]");
  EXPECT_EQ(message({1, 24}, {3, 2, 16, 6}, 3, {6}, {.n_heads = 2, .n_kv_heads = 1, .head_dim = 6}),
            "rope_append: head_dim is 6, expected a multiple of 4");
  EXPECT_EQ(message({1, 780}, {3, 2, 16, 260}, 8, {260},
                    {.n_heads = 1, .n_kv_heads = 1, .head_dim = 260}),
            "rope_append: head_dim is 260, expected at most 256");
}

}  // namespace
}  // namespace handloom::test
