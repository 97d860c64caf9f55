// add against reference::add: one correctly rounded sum per value, so exactly equal.
#include "ops/add.h"
#include "reference/add.h"
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

void check_add(uint32_t rows, uint32_t dim) {
  const Host x = ramp({rows, dim}, 1);
  Host y = ramp({rows, dim}, 2);
  GpuRun run(device().adapter().features);
  const gpu::Tensor y_gpu = run.inout("y", y);
  ops::add(run.encoder(), run.in("x", x), y_gpu);
  const Case where{"add", to_string(y.shape), "add"};
  ASSERT_TRUE(run.run()) << where.shape;
  reference::add(y, x);
  EXPECT_TRUE(is_close(where, run.values(y_gpu), y, {}));
}

TEST(Add, MatchesTheReference) {
  for (const uint32_t rows : {1, 3, 4, 5, 31, 32, 33, 65}) {
    for (const uint32_t dim : {4, 12, 64, 100, 260, 1028}) check_add(rows, dim);
  }
}

TEST(Add, RefusesWrongShapes) {
  EXPECT_EQ(refusal([](gpu::Encoder& enc) {
              ops::add(enc, f32({2, 8}, "x"), f32({2, 12}, "y"));
            }),
            "add: y 'y' has shape [2, 12], expected [2, 8]");
  EXPECT_EQ(refusal([](gpu::Encoder& enc) {
              ops::add(enc, f32({2, 6}, "x"), f32({2, 6}, "y"));
            }),
            "add: dim is 6, expected a multiple of 4");
}

}  // namespace
}  // namespace handloom::test
