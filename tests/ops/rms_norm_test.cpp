// rms_norm against reference::rms_norm, for widths below, at and beyond one workgroup.
#include "ops/rms_norm.h"
#include "reference/rms_norm.h"
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

/// A relative error e of the sum changes its inverse root by e / 2; then inverseSqrt itself, two
/// products, the division by dim and the sum with eps (each halved, too), and the reference.
double roundings(uint32_t dim) { return dim / 2.0 + kDivision / 2 + 0.5 + kInverseSqrt + 2 + 1; }

std::string check_rms_norm(const Host& x, DType weight_type, const Features& features, float eps,
                           ops::Sharing sharing) {
  const uint32_t dim = x.dim(1);
  const Host weight = ramp_in({dim}, weight_type, 2);
  GpuRun run(features);
  const gpu::Tensor y = run.out("y", x.shape);
  ops::rms_norm(run.encoder(), run.in("x", x), run.in("weight", weight, weight_type), y, eps,
                sharing);
  const auto ran = run.run();
  EXPECT_TRUE(ran) << "rms_norm " << to_string(x.shape);
  if (!ran) return "";
  const Case where{"rms_norm", to_string(x.shape), run.kernels()[0]};
  EXPECT_TRUE(is_close(where, run.values(y), reference::rms_norm(x, weight, eps),
                       {.roundings = roundings(dim)}));
  return run.kernels()[0];
}

TEST(RmsNorm, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen;
  for (const Features& features : feature_sets()) {
    for (const DType type : kPlainTypes) {
      for (const uint32_t rows : {1, 3, 4, 5, 31, 32, 33, 65}) {
        for (const uint32_t dim : {4, 12, 64, 100, 260, 1028}) {
          for (const ops::Sharing sharing : kSharings) {
            seen.insert(check_rms_norm(ramp({rows, dim}, 1), type, features, 1e-5f, sharing));
          }
        }
      }
    }
  }
  EXPECT_EQ(seen, supported_variants("rms_norm"));
}

TEST(RmsNorm, EpsCountsForSmallRowsAndARowOfZerosStaysZero) {
  Host x = ramp({3, 64}, 1);
  for (float& value : x.row(1)) value *= 1e-4f;  // mean square far below eps
  for (float& value : x.row(2)) value = 0;
  for (const Features& features : feature_sets()) {
    for (const ops::Sharing sharing : kSharings) {
      check_rms_norm(x, DType::f32, features, 1e-2f, sharing);
    }
  }
}

TEST(RmsNorm, RefusesWrongShapes) {
  const auto message = [](Shape x, Shape weight, Shape y) {
    return refusal([&](gpu::Encoder& enc) {
      ops::rms_norm(enc, f32(x, "x"), f32(weight, "blk.3.attn_norm"), f32(y, "y"), 1e-5f);
    });
  };
  EXPECT_EQ(message({2, 8}, {6}, {2, 8}),
            "rms_norm: weight 'blk.3.attn_norm' has shape [6], expected [8]");
  EXPECT_EQ(message({2, 8}, {8}, {3, 8}), "rms_norm: y 'y' has shape [3, 8], expected [2, 8]");
  EXPECT_EQ(message({2, 6}, {6}, {2, 6}), "rms_norm: dim is 6, expected a multiple of 4");
}

}  // namespace
}  // namespace handloom::test
