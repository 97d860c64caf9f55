// add_bias against reference::add_bias: one correctly rounded sum per value, so exactly equal.
#include "ops/add_bias.h"
#include "reference/add_bias.h"
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

void check_add_bias(uint32_t rows, uint32_t dim) {
  const Host bias = ramp({dim}, 1);
  Host y = ramp({rows, dim}, 2);
  GpuRun run(device().adapter().features);
  const gpu::Tensor y_gpu = run.inout("y", y);
  ops::add_bias(run.encoder(), run.in("bias", bias), y_gpu);
  const Case where{"add_bias", to_string(y.shape), "add_bias"};
  ASSERT_TRUE(run.run()) << where.shape;
  reference::add_bias(y, bias);
  EXPECT_TRUE(is_close(where, run.values(y_gpu), y, {}));
}

TEST(AddBias, MatchesTheReference) {
  for (const uint32_t rows : {1, 3, 4, 5, 31, 32, 33, 65}) {
    for (const uint32_t dim : {4, 12, 64, 100, 260, 1028}) check_add_bias(rows, dim);
  }
}

TEST(AddBias, RefusesWrongShapes) {
  const auto message = [](Shape bias, Shape y) {
    return refusal(
        [&](gpu::Encoder& enc) { ops::add_bias(enc, f32(bias, "bias"), f32(y, "qkv")); });
  };
  EXPECT_EQ(message({8}, {2, 12}), "add_bias: bias 'bias' has shape [8], expected [12]");
  EXPECT_EQ(message({6}, {2, 6}), "add_bias: dim is 6, expected a multiple of 4");
}

}  // namespace
}  // namespace handloom::test
