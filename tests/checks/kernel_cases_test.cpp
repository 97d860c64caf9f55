// The cases that a page shows: every kernel has one, each passes here, and a wrong result fails.
#include "checks/kernel_check.h"
#include "kernels/kernels.h"
#include "tests/support/gpu_device.h"

#include <set>

namespace handloom::checks {
namespace {

KernelReport run(const KernelCase& one) {
  gpu::Device& device = test::device();
  KernelCheck check(device, one);
  while (!check.finished()) check.resume(gpu::wait(device, check.next_readback()));
  return check.finish();
}

KernelCases cases() { return kernel_cases(test::device().features()); }

TEST(KernelCases, EveryKernelHasOne) {
  std::set<std::string> files, with_a_case;
  for (const gpu::Kernel* kernel : kernels::all()) files.emplace(kernel->entry_point);
  for (const KernelCase& one : cases()) with_a_case.insert(one.kernel);
  EXPECT_EQ(with_a_case, files);
}

TEST(KernelCases, EachRunsItsKernelAndPasses) {
  for (const KernelCase& one : cases()) {
    const KernelReport report = run(one);
    EXPECT_TRUE(report.passed) << one.kernel << ", " << one.about << ": " << report.failure;
    EXPECT_GT(report.n_values, 0u) << one.kernel;
    EXPECT_LE(report.of_limit, 1.0) << one.kernel;
    const bool ran = std::ranges::any_of(report.variants, [&](const std::string& variant) {
      return variant == one.kernel || variant.starts_with(one.kernel + "_");
    });
    EXPECT_TRUE(ran) << one.kernel << ", " << one.about;
  }
}

/// The first case of a kernel, as `change` makes it.
template <class Change>
KernelReport run_changed(std::string_view kernel, Change change) {
  for (KernelCase& one : cases()) {
    if (one.kernel != kernel) continue;
    one.record = [record = one.record, change](KernelRun& gpu) {
      std::vector<Expectation> expected = record(gpu);
      change(gpu, expected);
      return expected;
    };
    return run(one);
  }
  return {};
}

TEST(KernelCases, AWrongValueFails) {
  const KernelReport report = run_changed(
      "rms_norm", [](KernelRun&, auto& expected) { expected[0].want.values[261] += 1e-3f; });
  EXPECT_FALSE(report.passed);
  EXPECT_EQ(report.failure.find("'y' differs in 1 of 1300 values, the most at [1, 1]"), 0u)
      << report.failure;
  EXPECT_GT(report.of_limit, 1.0);
  EXPECT_LT(report.n_exact, report.n_values);
}

TEST(KernelCases, AnInputThatChangesFails) {
  const KernelReport report = run_changed("add", [](KernelRun& gpu, auto& expected) {
    const gpu::Tensor ones = gpu.in("ones", Host(expected[0].want.shape));
    gpu.encoder().copy(expected[0].tensor, ones);
  });
  EXPECT_FALSE(report.passed);
  EXPECT_EQ(report.failure.find("the input 'ones' was changed at word 0"), 0u) << report.failure;
}

TEST(KernelCases, WhatAnOpRefusesIsTheFailure) {
  const KernelReport report =
      run_changed("add", [](KernelRun& gpu, auto&) { gpu.encoder().fail("add: no"); });
  EXPECT_FALSE(report.passed);
  EXPECT_EQ(report.failure, "add: no");
}

}  // namespace
}  // namespace handloom::checks
