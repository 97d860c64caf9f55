#include "checks/kernel_check.h"

#include <fmt/format.h>

#include <algorithm>

namespace handloom::checks {

KernelCheck::KernelCheck(gpu::Device& device, const KernelCase& what)
    : run_(std::make_unique<KernelRun>(device, what.features)),
      expected_(what.record(*run_)),
      report_{.kernel = what.kernel, .about = what.about} {
  if (auto submitted = run_->submit(); !submitted) report_.failure = submitted.error().message;
  report_.variants = run_->kernels();
}

void KernelCheck::resume(const Result<std::vector<std::byte>>& bytes) {
  if (bytes) {
    run_->resume(*bytes);
  } else {
    report_.failure = bytes.error().message;
  }
}

void KernelCheck::add(const Expectation& expected) {
  const gpu::Tensor& tensor = expected.tensor;
  const Host got = expected.read ? expected.read(run_->words(tensor)) : run_->values(tensor);
  const Host& want = expected.want;
  const Comparison c = compare(got, want, expected.tolerance);
  const auto before = static_cast<double>(report_.n_values);
  report_.n_values += c.n_values;
  report_.n_exact += c.n_exact;
  report_.max_error = std::max(report_.max_error, c.max_error);
  report_.mean_error =
      (report_.mean_error * before + c.mean_error * static_cast<double>(c.n_values)) /
      static_cast<double>(report_.n_values);
  report_.of_limit = std::max(report_.of_limit, c.of_limit);
  if (c.n_wrong == 0 || !report_.failure.empty()) return;
  report_.failure = fmt::format(
      "'{}' differs in {} of {} values, the most at {}: {:.9g}, expected {:.9g} within {:.3g}",
      tensor.name, c.n_wrong, c.n_values, index_of(c.worst, want.shape), got.values[c.worst],
      want.values[c.worst], expected.tolerance.at(c.worst, want.values[c.worst]));
}

KernelReport KernelCheck::finish() {
  if (report_.failure.empty()) {
    if (const auto whole = run_->check(); !whole) report_.failure = whole.error().message;
    for (const Expectation& expected : expected_) add(expected);
  }
  report_.passed = report_.failure.empty();
  return std::move(report_);
}

}  // namespace handloom::checks
