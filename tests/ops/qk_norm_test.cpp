// qk_norm against reference::qk_norm: query and key heads within the bound, value heads untouched.
#include "ops/qk_norm.h"
#include "reference/qk_norm.h"
#include "checks/kv_pages.h"
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

/// A relative error e of the sum changes its inverse root by e / 2; then inverseSqrt itself, two
/// products, the division by head_dim and the sum with eps (each halved, too), and the reference.
double roundings(uint32_t head_dim) {
  return head_dim / 2.0 + kDivision / 2 + 0.5 + kInverseSqrt + 2 + 1;
}

/// The value heads of all rows.
std::vector<float> values_of(const Host& qkv, const ops::Heads& heads) {
  std::vector<float> values;
  for (size_t r = 0; r < qkv.n_rows(); ++r) {
    const auto v = qkv.row(r).last(size_t{heads.n_kv_heads} * heads.head_dim);
    values.insert(values.end(), v.begin(), v.end());
  }
  return values;
}

std::string check_qk_norm(const ops::Heads& heads, const Host& before, const Features& features,
                          float eps) {
  const Host q_weight = ramp({heads.head_dim}, 2), k_weight = ramp({heads.head_dim}, 3);
  GpuRun run(features);
  const gpu::Tensor qkv = run.inout("qkv", before);
  ops::qk_norm(run.encoder(), run.in("q_weight", q_weight), run.in("k_weight", k_weight), qkv,
               heads, eps);
  const std::string shape = fmt::format("{} rows {}", describe(heads), before.dim(0));
  const auto ran = run.run();
  EXPECT_TRUE(ran) << "qk_norm " << shape;
  if (!ran) return "";
  Host want = before;
  reference::qk_norm(want, q_weight, k_weight, heads.n_heads, heads.n_kv_heads, heads.head_dim,
                     eps);
  EXPECT_TRUE(is_close({"qk_norm", shape, run.kernels()[0]}, run.values(qkv), want,
                       {.roundings = roundings(heads.head_dim)}));
  EXPECT_EQ(values_of(run.values(qkv), heads), values_of(before, heads)) << shape;
  return run.kernels()[0];
}

TEST(QkNorm, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen;
  for (const Features& features : feature_sets()) {
    for_each_heads([&](const ops::Heads& heads) {
      for (const uint32_t rows : {1, 5, 33}) {
        seen.insert(check_qk_norm(heads, ramp({rows, heads.row_dim()}, 1), features, 1e-5f));
      }
    });
  }
  EXPECT_EQ(seen, supported_variants("qk_norm"));
}

TEST(QkNorm, EpsCountsForSmallHeadsAndAHeadOfZerosStaysZero) {
  const ops::Heads heads{.n_heads = 2, .n_kv_heads = 1, .head_dim = 64};
  Host qkv = ramp({2, heads.row_dim()}, 1);
  for (float& value : qkv.row(0).first(64)) value *= 1e-4f;  // mean square far below eps
  for (float& value : qkv.row(1).subspan(64, 128)) value = 0;
  for (const Features& features : feature_sets()) check_qk_norm(heads, qkv, features, 1e-2f);
}

TEST(QkNorm, RefusesWrongShapes) {
  const auto message = [](Shape q_weight, Shape k_weight, Shape qkv, ops::Heads heads) {
    return refusal([&](gpu::Encoder& enc) {
      ops::qk_norm(enc, f32(q_weight, "q_norm"), f32(k_weight, "k_norm"), f32(qkv, "qkv"), heads,
                   1e-5f);
    });
  };
  const ops::Heads heads{.n_heads = 4, .n_kv_heads = 2, .head_dim = 8};
  EXPECT_EQ(message({4}, {8}, {2, 64}, heads),
            "qk_norm: q_weight 'q_norm' has shape [4], expected [8]");
  EXPECT_EQ(message({8}, {4}, {2, 64}, heads),
            "qk_norm: k_weight 'k_norm' has shape [4], expected [8]");
  EXPECT_EQ(message({8}, {8}, {2, 60}, heads),
            "qk_norm: qkv 'qkv' has shape [2, 60], expected [2, 64]");
  EXPECT_EQ(message({6}, {6}, {2, 18}, {.n_heads = 1, .n_kv_heads = 1, .head_dim = 6}),
            "qk_norm: head_dim is 6, expected a multiple of 4");
}

}  // namespace
}  // namespace handloom::test
