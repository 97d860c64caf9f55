// softcap against reference::softcap, for fewer and more values than the grid has lanes.
#include "ops/softcap.h"
#include "reference/softcap.h"
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"
#include "tests/support/variants.h"

#include <algorithm>

namespace handloom::test {
namespace {

Host check_softcap(Host y, float cap) {
  GpuRun run(device().adapter().features);
  const gpu::Tensor y_gpu = run.inout("y", y);
  ops::softcap(run.encoder(), y_gpu, cap);
  const Case where{"softcap", to_string(y.shape), fmt::format("cap {}", cap)};
  EXPECT_TRUE(run.run()) << where.shape;
  reference::softcap(y, cap);
  Host caps(y.shape);
  std::ranges::fill(caps.values, cap);
  EXPECT_TRUE(
      is_close(where, run.values(y_gpu), y, {.roundings = kSoftcap + 1, .magnitude = caps}));
  return run.values(y_gpu);
}

TEST(Softcap, MatchesTheReference) {
  for (const float cap : {0.5f, 30.0f, 50.0f}) {
    for (const Shape& shape :
         {Shape{1, 1}, Shape{1, 63}, Shape{3, 21}, Shape{1, 65}, Shape{5, 602}, Shape{2, 40001}}) {
      Host y = ramp(shape, 1);
      for (float& value : y.values) value *= 100;
      check_softcap(std::move(y), cap);
    }
  }
}

TEST(Softcap, StopsAtTheCapForAnyValue) {
  const float large = std::numeric_limits<float>::max();
  const Host y = check_softcap(Host({1, 8}, {0, 1, -1, 1e3f, -1e3f, large, -large, 1e-30f}), 30);
  EXPECT_EQ(y.values[5], 30);
  EXPECT_EQ(y.values[6], -30);
}

}  // namespace
}  // namespace handloom::test
