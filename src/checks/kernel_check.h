// KernelCheck: one case on a device, compared, as a state machine that never waits.
#pragma once

#include "checks/kernel_cases.h"

#include <handloom/kernel_checks.h>

#include <memory>

namespace handloom::checks {

class KernelCheck {
 public:
  /// Submits the case, or finds at once what is wrong with it.
  KernelCheck(gpu::Device& device, const KernelCase& what);

  bool finished() const { return !report_.failure.empty() || run_->finished(); }
  gpu::Readback next_readback() { return run_->next_readback(); }
  void resume(const Result<std::vector<std::byte>>& bytes);
  KernelReport finish();

 private:
  void add(const Expectation& expected);

  std::unique_ptr<KernelRun> run_;
  std::vector<Expectation> expected_;
  KernelReport report_;
};

}  // namespace handloom::checks
