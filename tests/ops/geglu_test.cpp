// geglu against reference::geglu.
#include "ops/geglu.h"
#include "reference/geglu.h"
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

/// |gate * up|, element by element.
Host products(const Host& gate_up) {
  const uint32_t rows = gate_up.dim(0), dim = gate_up.dim(1) / 2;
  Host y({rows, dim});
  for (uint32_t r = 0; r < rows; ++r) {
    for (uint32_t i = 0; i < dim; ++i) {
      y.row(r)[i] = std::abs(gate_up.row(r)[i] * gate_up.row(r)[dim + i]);
    }
  }
  return y;
}

/// The argument of tanh is off by 7 roundings: three products, two constants, a sum, a product.
/// Half the gate then meets 1 + tanh, whose own rounding is relative to at most 2; two products and
/// the reference are left.
constexpr double kRoundings = (tanh_roundings(7) + 2) / 2 + 2 + 1;

Host check_geglu(const Host& gate_up) {
  GpuRun run(device().adapter().features);
  const gpu::Tensor y = run.out("y", {gate_up.dim(0), gate_up.dim(1) / 2});
  ops::geglu(run.encoder(), run.in("gate_up", gate_up), y);
  const Case where{"geglu", to_string(gate_up.shape), "geglu"};
  EXPECT_TRUE(run.run()) << where.shape;
  EXPECT_TRUE(is_close(where, run.values(y), reference::geglu(gate_up),
                       {.roundings = kRoundings, .magnitude = products(gate_up)}));
  return run.values(y);
}

TEST(Geglu, MatchesTheReference) {
  for (const uint32_t rows : {1, 3, 4, 5, 31, 32, 33, 65}) {
    for (const uint32_t dim : {1, 4, 12, 63, 64, 65, 260, 1028}) {
      Host gate_up = ramp({rows, 2 * dim}, 1);
      for (float& value : gate_up.values) value *= 8;
      check_geglu(gate_up);
    }
  }
}

TEST(Geglu, AClosedGateIsZeroAndAnOpenOneIsItself) {
  // The cube overflows at the outermost two, exp at the next ones.
  const Host y = check_geglu(Host({1, 16}, {-1e20f, -1000, -12, -10, 10, 12, 1000, 1e20f,  //
                                            0.5f, 0.5f, -0.5f, 0.5f, 2, 0.25f, -1, 3}));
  EXPECT_EQ(y.values, (std::vector<float>{0, 0, 0, 0, 20, 3, -1000, 3e20f}));
}

TEST(Geglu, RefusesWrongShapes) {
  EXPECT_EQ(refusal([](gpu::Encoder& enc) {
              ops::geglu(enc, f32({2, 8}, "gate_up"), f32({2, 8}, "y"));
            }),
            "geglu: gate_up 'gate_up' has shape [2, 8], expected [2, 16]");
}

}  // namespace
}  // namespace handloom::test
