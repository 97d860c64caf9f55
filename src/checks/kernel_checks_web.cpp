// The door of a host that must not wait: KernelCheck with what it waits for by its name.
#include "base/result.h"
#include "checks/kernel_check.h"
#include "gpu/native.h"

namespace handloom {

struct KernelChecks::Impl {
  gpu::Device device;
  checks::KernelCases cases = {};
  std::optional<checks::KernelCheck> check = {};
  gpu::Readback readback = {};

  void look() {
    if (!check->finished()) readback = check->next_readback();
  }
};

KernelChecks::KernelChecks(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KernelChecks::KernelChecks(KernelChecks&&) noexcept = default;
KernelChecks& KernelChecks::operator=(KernelChecks&&) noexcept = default;
KernelChecks::~KernelChecks() = default;

Result<KernelChecks> KernelChecks::open() {
  TRY(gpu::Device device, gpu::open_device(""));
  auto impl = std::make_unique<Impl>(Impl{.device = std::move(device)});
  impl->cases = checks::kernel_cases(impl->device.features());
  return KernelChecks(std::move(impl));
}

std::vector<std::string> KernelChecks::kernels() const {
  std::vector<std::string> names;
  for (const checks::KernelCase& one : impl_->cases) names.push_back(one.kernel);
  return names;
}

void KernelChecks::start(size_t index) {
  impl_->check.emplace(impl_->device, impl_->cases[index]);
  impl_->look();
}

std::optional<Wanted> KernelChecks::wanted() const {
  if (!impl_->readback.pending()) return std::nullopt;
  return Wanted{.readback = impl_->readback.buffer()};
}

void KernelChecks::resume() {
  impl_->check->resume(std::exchange(impl_->readback, {}).take());
  impl_->look();
}

KernelReport KernelChecks::finish() {
  KernelReport report = impl_->check->finish();
  impl_->check.reset();
  return report;
}

}  // namespace handloom
