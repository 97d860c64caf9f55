// Every kernel in every variant compiles on the adapter; what the adapter lacks is said, not
// skipped.
#include "gpu/native.h"
#include "kernels/kernels.h"

#include <gtest/gtest.h>

namespace handloom {

TEST(Kernels, CompileInEveryVariantTheAdapterSupports) {
  Result<gpu::Device> device = gpu::open_device("");
  ASSERT_TRUE(device) << device.error().message;
  const Features& features = device->adapter().features;
  size_t n_compiled = 0;
  for (const gpu::Kernel* kernel : kernels::all()) {
    if ((kernel->needs_subgroups && !features.subgroups) || (kernel->needs_f16 && !features.f16)) {
      continue;
    }
    device->pipeline(*kernel, {});
    const auto accepted = gpu::wait(*device, device->settle());
    EXPECT_TRUE(accepted) << accepted.error().message;
    ++n_compiled;
  }
  const bool has_all = features.subgroups && features.f16;
  EXPECT_GE(n_compiled, has_all ? kernels::all().size() : kernels::all().size() / 2);
}

TEST(Kernels, AreFoundByTheirVariants) {
  const gpu::Kernel& q4 = kernels::matmul_vec(kernels::Weight::q4_0, kernels::Reduce::subgroup);
  EXPECT_EQ(q4.name, "matmul_vec_q4_0_subgroup");
  EXPECT_EQ(q4.entry_point, "matmul_vec");
  EXPECT_TRUE(q4.needs_subgroups);
  EXPECT_FALSE(q4.needs_f16);
  const gpu::Kernel& half =
      kernels::project(kernels::Act::f16, kernels::Weight::f16, kernels::Reduce::tree);
  EXPECT_EQ(half.name, "project_f16_f16_tree");
  EXPECT_TRUE(half.needs_f16);
  EXPECT_FALSE(half.needs_subgroups);
}

TEST(Kernels, ACompileErrorNamesFileAndLine) {
  Result<gpu::Device> device = gpu::open_device("");
  ASSERT_TRUE(device) << device.error().message;
  const gpu::KernelFile good = {"kernels/lib/good.wgsl", "\nfn one() -> i32 {\n  return 1;\n}\n"};
  const gpu::KernelFile bad = {"kernels/lib/bad.wgsl", "fn two() -> i32 {\n  return x;\n}\n"};
  const gpu::KernelFile* const helpers[] = {&good, &bad};
  const gpu::Kernel broken = {.name = "broken",
                              .entry_point = "broken",
                              .source = "@compute @workgroup_size(1)\nfn broken() {}\n",
                              .path = "kernels/broken.wgsl",
                              .directives = "diagnostic(off, derivative_uniformity);\n",
                              .helpers = helpers};
  device->pipeline(broken, {});
  const auto accepted = gpu::wait(*device, device->settle());
  ASSERT_FALSE(accepted);
  EXPECT_NE(accepted.error().message.find("kernels/lib/bad.wgsl:2:10"), std::string::npos)
      << accepted.error().message;
}

}  // namespace handloom
