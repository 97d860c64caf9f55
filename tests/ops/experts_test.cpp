// route_experts, matmul_experts and combine_experts against reference/experts.cpp.
#include "ops/experts.h"
#include "reference/experts.h"
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

/// A u32 input with rows: GpuRun makes flat ones.
gpu::Tensor table(gpu::Tensor flat, uint32_t rows, uint32_t columns) {
  flat.shape = {rows, columns};
  return flat;
}

void check_route(const Host& logits, uint32_t n_used, bool normalise) {
  const uint32_t rows = logits.dim(0);
  GpuRun run(device().adapter().features);
  const std::vector<uint32_t> poison(size_t{rows} * n_used, 0xdeadbeef);
  const gpu::Tensor ids = run.inout("expert_ids", poison);
  const gpu::Tensor shares = run.out("shares", {rows, n_used});
  ops::route_experts(run.encoder(), run.in("router_logits", logits), table(ids, rows, n_used),
                     shares, normalise);
  const std::string shape = fmt::format("rows {} n_experts {} n_used {} normalise {}", rows,
                                        logits.dim(1), n_used, normalise);
  ASSERT_TRUE(run.run()) << shape;
  const reference::Routes want = reference::route_experts(logits, n_used, normalise);
  const auto got = run.words(ids);
  EXPECT_TRUE(std::equal(got.begin(), got.end(), want.expert_ids.begin(), want.expert_ids.end()))
      << shape;
  // Two exponentials, the sum and the quotient; shares are positive, so nothing cancels.
  const double roundings = 2 * exp_roundings(20) + logits.dim(1) + kDivision;
  EXPECT_TRUE(is_close({"route_experts", shape, "route_experts"}, run.values(shares), want.shares,
                       {.roundings = roundings}));
}

TEST(RouteExperts, MatchesTheReference) {
  for (const uint32_t n_experts : {1, 2, 8, 63, 64, 65, 128, 512}) {
    for (const uint32_t n_used : {1, 2, 8}) {
      if (n_used > n_experts) continue;
      for (const bool normalise : {true, false}) {
        Host logits = ramp({5, n_experts}, 1);
        for (float& value : logits.values) value *= 7;
        check_route(logits, n_used, normalise);
      }
    }
  }
}

TEST(RouteExperts, TheLowestIdWinsATie) {
  check_route(Host({2, 6}, {1, 3, 3, 3, 2, 3, 0, 0, 0, 0, 0, 0}), 3, true);
}

TEST(RouteExperts, EqualLogitsBelowZeroAndLargeOnesAreOrdinary) {
  check_route(Host({2, 4}, {-1e30f, -1e30f, -2e30f, -1e30f, 1e30f, 2e30f, 0, -5}), 2, true);
}

std::string check_matmul(uint32_t rows, uint32_t n_used, bool x_per_slot, uint32_t out_dim,
                         uint32_t in_dim, DType type, const Features& features) {
  constexpr uint32_t kExperts = 5;
  const Host x = ramp({x_per_slot ? rows * n_used : rows, in_dim}, 1);
  const Host weight = ramp_in({kExperts * out_dim, in_dim}, type, 2);
  std::vector<uint32_t> ids(size_t{rows} * n_used);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<uint32_t>(i * 3 + i / 4) % kExperts;

  GpuRun run(features);
  const gpu::Tensor y = run.out("y", {rows * n_used, out_dim});
  ops::matmul_experts(run.encoder(), run.in("x", x), table(run.in("expert_ids", ids), rows, n_used),
                      run.in("weight", weight, type), y);
  const std::string shape = fmt::format("rows {} n_used {} out_dim {} in_dim {} x per slot {}",
                                        rows, n_used, out_dim, in_dim, x_per_slot);
  const auto ran = run.run();
  EXPECT_TRUE(ran) << "matmul_experts " << shape;
  if (!ran) return "";
  const Tolerance tolerance{
      .roundings = in_dim + 1.0,
      .magnitude = reference::matmul_experts(magnitudes(x), ids, magnitudes(weight), out_dim)};
  EXPECT_TRUE(is_close({"matmul_experts", shape, run.kernels()[0]}, run.values(y),
                       reference::matmul_experts(x, ids, weight, out_dim), tolerance));
  return run.kernels()[0];
}

TEST(MatmulExperts, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen;
  for (const Features& features : feature_sets()) {
    for (const DType type : kPlainTypes) {
      for (const bool x_per_slot : {false, true}) {
        for (const uint32_t out_dim : {1, 15, 17, 100}) {
          for (const uint32_t in_dim : {4, 100}) {
            seen.insert(check_matmul(3, 2, x_per_slot, out_dim, in_dim, type, features));
          }
        }
        seen.insert(check_matmul(1, 4, x_per_slot, 33, 260, type, features));
      }
    }
  }
  EXPECT_EQ(seen, variants_by_weight("matmul_experts", false));
}

TEST(CombineExperts, MatchesTheReference) {
  for (const uint32_t rows : {1, 3, 33}) {
    for (const uint32_t n_used : {1, 2, 8}) {
      for (const uint32_t dim : {4, 12, 260}) {
        const Host x = ramp({rows * n_used, dim}, 1), shares = ramp({rows, n_used}, 2);
        GpuRun run(device().adapter().features);
        const gpu::Tensor y = run.out("y", {rows, dim});
        ops::combine_experts(run.encoder(), run.in("x", x), run.in("shares", shares), y);
        const std::string shape = fmt::format("rows {} n_used {} dim {}", rows, n_used, dim);
        ASSERT_TRUE(run.run()) << shape;
        const Tolerance tolerance{
            .roundings = n_used + 1.0,
            .magnitude = reference::combine_experts(magnitudes(x), magnitudes(shares))};
        EXPECT_TRUE(is_close({"combine_experts", shape, "combine_experts"}, run.values(y),
                             reference::combine_experts(x, shares), tolerance));
      }
    }
  }
}

TEST(Experts, RefuseWrongShapes) {
  EXPECT_EQ(refusal([](gpu::Encoder& enc) {
              ops::route_experts(enc, f32({2, 8}, "router"), u32({2, 3}, "ids"),
                                 f32({2, 4}, "shares"), true);
            }),
            "route_experts: shares 'shares' has shape [2, 4], expected [2, 3]");
  EXPECT_EQ(refusal([](gpu::Encoder& enc) {
              ops::route_experts(enc, f32({2, 513}, "router"), u32({2, 3}, "ids"),
                                 f32({2, 3}, "shares"), true);
            }),
            "route_experts: n_experts is 513, expected at most 512");
  EXPECT_EQ(refusal([](gpu::Encoder& enc) {
              ops::matmul_experts(enc, f32({2, 8}, "x"), u32({2, 3}, "ids"), f32({10, 8}, "w"),
                                  f32({6, 4}, "y"));
            }),
            "matmul_experts: weight rows is 10, expected a multiple of 4");
  EXPECT_EQ(refusal([](gpu::Encoder& enc) {
              ops::combine_experts(enc, f32({5, 8}, "x"), f32({2, 3}, "shares"), f32({2, 8}, "y"));
            }),
            "combine_experts: x 'x' has shape [5, 8], expected [6, 8]");
}

}  // namespace
}  // namespace handloom::test
