// GpuRun: a checks::KernelRun on the test's device that waits for what it submitted.
#pragma once

#include "checks/kernel_run.h"
#include "tests/support/gpu_device.h"
#include "tests/support/host_data.h"

namespace handloom::test {

class GpuRun : public checks::KernelRun {
 public:
  explicit GpuRun(const Features& features) : KernelRun(device(), features) {}

  /// Submits what was recorded, `times` times over, and checks guards, inputs and poison.
  testing::AssertionResult run(uint32_t times = 1) {
    if (const auto submitted = submit(times); !submitted) {
      return testing::AssertionFailure() << submitted.error().message;
    }
    while (!finished()) {
      const auto bytes = gpu::wait(device(), next_readback());
      if (!bytes) return testing::AssertionFailure() << bytes.error().message;
      resume(*bytes);
    }
    const auto checked = check();
    if (!checked) return testing::AssertionFailure() << checked.error().message;
    return testing::AssertionSuccess();
  }
};

}  // namespace handloom::test
