// matmul against reference::matmul: the kernels on either side of kMatmulVecRows, with tails in
// rows, outputs and the inner dimension.
#include "ops/matmul.h"
#include "reference/matmul.h"
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

std::string check_matmul(uint32_t rows, uint32_t out_dim, uint32_t in_dim, DType type,
                         const Features& features, std::optional<ops::ManyRows> how = {}) {
  const Host x = ramp({rows, in_dim}, 1), weight = ramp_in({out_dim, in_dim}, type, 2);
  GpuRun run(features);
  const gpu::Tensor y = run.out("y", {rows, out_dim});
  ops::matmul(run.encoder(), run.in("x", x), run.in("weight", weight, type), y, how);
  const std::string shape = fmt::format("rows {} out_dim {} in_dim {}", rows, out_dim, in_dim);
  const auto ran = run.run();
  EXPECT_TRUE(ran) << "matmul " << shape;
  if (!ran) return "";
  const Tolerance tolerance{.roundings = in_dim + 1.0,
                            .magnitude = reference::matmul(magnitudes(x), magnitudes(weight))};
  EXPECT_TRUE(is_close({"matmul", shape, run.kernels()[0]}, run.values(y),
                       reference::matmul(x, weight), tolerance));
  return run.kernels()[0];
}

TEST(Matmul, AFewRowsMatchTheReferenceInEveryVariant) {
  std::set<std::string> seen;
  for (const Features& features : feature_sets()) {
    for (const DType type : kPlainTypes) {
      for (const uint32_t rows : {1u, 3u, ops::kMatmulVecRows}) {
        for (const uint32_t out_dim : {1, 4, 15, 17, 100}) {
          for (const uint32_t in_dim : {4, 12, 100, 260}) {
            seen.insert(check_matmul(rows, out_dim, in_dim, type, features));
          }
        }
      }
      seen.insert(check_matmul(1, 33, 1028, type, features));
    }
  }
  EXPECT_EQ(seen, variants_by_weight("matmul_vec", false));
}

TEST(Matmul, ManyRowsMatchTheReferenceInEveryVariant) {
  std::set<std::string> seen;
  const Features features = device().adapter().features;
  for (const ops::ManyRows how : kManyRows) {
    for (const DType type : kPlainTypes) {
      for (const uint32_t rows : {ops::kMatmulVecRows + 1, 31u, 32u, 33u, 65u}) {
        for (const uint32_t out_dim : {1, 17, 32, 33, 100}) {
          for (const uint32_t in_dim : {4, 64, 100}) {
            seen.insert(check_matmul(rows, out_dim, in_dim, type, features, how));
          }
        }
      }
      seen.insert(check_matmul(33, 33, 1028, type, features, how));
    }
  }
  std::set<std::string> all = variants_by_weight("matmul_tile", false);
  all.merge(variants_by_weight("matmul_wide", false));
  all.merge(variants_by_weight("matmul_lanes", false));
  EXPECT_EQ(seen, all);
}

TEST(Matmul, RefusesWrongShapes) {
  const auto message = [](Shape x, Shape weight, Shape y) {
    return refusal([&](gpu::Encoder& enc) {
      ops::matmul(enc, f32(x, "x"), f32(weight, "blk.0.attn_qkv"), f32(y, "y"));
    });
  };
  EXPECT_EQ(message({2, 8}, {5, 12}, {2, 5}),
            "matmul: weight 'blk.0.attn_qkv' has shape [5, 12], expected [5, 8]");
  EXPECT_EQ(message({2, 8}, {5, 8}, {2, 4}), "matmul: y 'y' has shape [2, 4], expected [2, 5]");
  EXPECT_EQ(message({2, 6}, {5, 6}, {2, 5}), "matmul: in_dim is 6, expected a multiple of 4");
}

}  // namespace
}  // namespace handloom::test
