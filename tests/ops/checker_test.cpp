// The checks of tests/support can fail: each is shown one mistake that it must report. The broken
// kernels stand here.
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"

namespace handloom::test {
namespace {

std::string message_of(const testing::AssertionResult& result) {
  return result ? "" : result.message();
}

TEST(Checker, ReportsTheWorstOfSeveralWrongValues) {
  const Host want({2, 3}, {1, 2, 3, 4, 5, 6});
  Host got = want;
  got.values[1] += 1e-6f;
  got.values[5] = 6.5f;
  const Case where{"rms_norm", "[2, 3]", "rms_norm_f16_tree"};
  EXPECT_EQ(message_of(is_close(where, got, want, {.roundings = 4})),
            "rms_norm [2, 3] rms_norm_f16_tree: 2 of 6 values differ; worst at [1, 2]: got 6.5, "
            "want 6, tolerance 1.44e-06");
  EXPECT_TRUE(is_close(where, want, want, {}));
}

TEST(Checker, AcceptsTheDerivedErrorAndNoMore) {
  const Host want({1}, {1});
  const auto off_by = [&](double roundings) {
    return is_close({}, Host({1}, {static_cast<float>(1 + roundings * kU)}), want,
                    {.roundings = 8});
  };
  EXPECT_TRUE(off_by(8));
  EXPECT_FALSE(off_by(10));
}

TEST(Checker, TheSumOfMagnitudesWidensTheBoundWhereTermsCancel) {
  const Host want({2}, {0, 0}), got({2}, {1e-6f, 1e-6f}), magnitude({2}, {8, 0.125f});
  EXPECT_EQ(
      message_of(is_close({"op", "[2]", "v"}, got, want, {.roundings = 4, .magnitude = magnitude})),
      "op [2] v: 1 of 2 values differ; worst at [1]: got 9.99999997e-07, want 0, tolerance "
      "3.01e-08");
}

TEST(Checker, NeverAcceptsANanOrAnInfinityForANumber) {
  const Host want({1}, {1});
  const Tolerance wide{.roundings = 1e9};
  EXPECT_FALSE(is_close({}, Host({1}, {kNan}), want, wide));
  EXPECT_FALSE(is_close({}, Host({1}, {kInfinity}), want, wide));
  EXPECT_FALSE(is_close({}, want, Host({1}, {kNan}), wide));
  EXPECT_FALSE(is_close({}, want, Host({1}, {kInfinity}), wide));
  EXPECT_TRUE(is_close({}, Host({1}, {kInfinity}), Host({1}, {kInfinity}), wide));
  EXPECT_FALSE(is_close({}, Host({1, 1}, {1}), want, wide));
}

/// A kernel over x [n] (declared read_write, so that it can misbehave) and y [n].
std::string run_broken(std::string_view body, uint32_t n = 64) {
  const std::string source = fmt::format(
      "@group(0) @binding(0) var<storage, read_write> x: array<f32>;\n"
      "@group(0) @binding(1) var<storage, read_write> y: array<f32>;\n"
      "@compute @workgroup_size(64)\n"
      "fn broken(@builtin(local_invocation_index) i: u32) {{\n  {}\n}}\n",
      body);
  const gpu::KernelBinding bindings[] = {{"x", gpu::Access::read_write}, {"y", gpu::Access::write}};
  const std::string name = fmt::format("broken {}", body);  // pipelines are cached by name
  const gpu::Kernel kernel = {
      .name = name, .entry_point = "broken", .source = source, .bindings = bindings};
  GpuRun run(device().adapter().features);
  const gpu::Tensor x = run.in("x", ramp({n})), y = run.out("y", {n});
  run.encoder().dispatch({.kernel = kernel, .bindings = {x, y}});
  return message_of(run.run());
}

TEST(Checker, AGoodKernelPasses) { EXPECT_EQ(run_broken("y[i] = 2 * x[i];"), ""); }

TEST(Checker, ReportsAValueThatWasNotWritten) {
  EXPECT_EQ(run_broken("if (i != 17) { y[i] = x[i]; }"),
            "the output 'y' is NaN at value 17: it was not written");
}

TEST(Checker, ReportsANan) {
  EXPECT_EQ(run_broken("y[i] = bitcast<f32>(bitcast<u32>(x[i]) | 0x7fc00000);"),
            "the output 'y' is NaN at value 0");
}

TEST(Checker, ReportsAChangedInput) {
  const std::string message = run_broken("y[i] = x[i]; x[5] = 1.0;");
  EXPECT_TRUE(message.starts_with("the input 'x' was changed at word 5: 0x3f800000, expected"))
      << message;
}

TEST(Checker, ReportsAGpuErrorInsteadOfResults) {
  const std::string message = run_broken("y[i] = nothing[i];");
  EXPECT_NE(message.find("unresolved value 'nothing'"), std::string::npos) << message;
}

TEST(Checker, ReportsATouchedGuard) {
  // The kernel is given one value more than the output has, as a wrong grid would.
  GpuRun run(device().adapter().features);
  const gpu::Tensor y = run.out("y", {16});
  const gpu::Tensor ones = run.in("ones", Host({17}, std::vector<float>(17, 1)));
  gpu::Tensor too_long = y;
  too_long.shape = {17};
  run.encoder().copy(ones, too_long);
  EXPECT_EQ(message_of(run.run()),
            "the guard of 'y' was changed at word 16: 0x3f800000, expected 0x7fc17fd1");
}

}  // namespace
}  // namespace handloom::test
