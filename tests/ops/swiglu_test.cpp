// swiglu against reference::swiglu.
#include "ops/swiglu.h"
#include "reference/swiglu.h"
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

void check_swiglu(const Host& gate_up, double largest_gate) {
  GpuRun run(device().adapter().features);
  const gpu::Tensor y = run.out("y", {gate_up.dim(0), gate_up.dim(1) / 2});
  ops::swiglu(run.encoder(), run.in("gate_up", gate_up), y);
  const Case where{"swiglu", to_string(gate_up.shape), "swiglu"};
  ASSERT_TRUE(run.run()) << where.shape;
  // exp, 1 + exp, the quotient, the product, and the reference. The error of exp counts in full
  // where exp(-gate) is most of the divisor.
  const double roundings = exp_roundings(largest_gate) + 1 + kDivision + 1 + 1;
  EXPECT_TRUE(is_close(where, run.values(y), reference::swiglu(gate_up), {.roundings = roundings}));
}

TEST(Swiglu, MatchesTheReference) {
  for (const uint32_t rows : {1, 3, 4, 5, 31, 32, 33, 65}) {
    for (const uint32_t dim : {4, 12, 64, 100, 260, 1028}) {
      Host gate_up = ramp({rows, 2 * dim}, 1);
      for (float& value : gate_up.values) value *= 8;
      check_swiglu(gate_up, 8);
    }
  }
}

TEST(Swiglu, AClosedGateIsZeroAndAnOpenOneIsItself) {
  // exp(-gate) overflows at the first three and vanishes at the last ones.
  check_swiglu(Host({1, 16}, {-1000, -100, -89, -80, 0, 80, 100, 1000,  //
                              0.5f, 0.5f, -0.5f, 0.5f, 2, 0.25f, -1, 3}),
               100);
}

TEST(Swiglu, RefusesWrongShapes) {
  const auto message = [](Shape gate_up, Shape y) {
    return refusal(
        [&](gpu::Encoder& enc) { ops::swiglu(enc, f32(gate_up, "gate_up"), f32(y, "y")); });
  };
  EXPECT_EQ(message({2, 8}, {2, 8}),
            "swiglu: gate_up 'gate_up' has shape [2, 8], expected [2, 16]");
  EXPECT_EQ(message({2, 12}, {2, 6}), "swiglu: dim is 6, expected a multiple of 4");
}

}  // namespace
}  // namespace handloom::test
