// Each kernel on small inputs beside its plain reference, on the adapter at hand: for a host that
// must not wait (a page; natively the tests do the same). stepwise.h says how such a host goes on.
#pragma once

#include <handloom/stepwise.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace handloom {

struct KernelReport {
  std::string kernel;                        // the file's: "rms_norm"
  std::string about;                         // "5 x 260, weight f16"
  std::vector<std::string> variants;         // what ran, in order: "rms_norm_f16_subgroup"
  uint64_t n_values = 0, n_exact = 0;        // compared; of them equal to the last bit
  double max_error = 0.0, mean_error = 0.0;  // |got - want| over the values
  /// The largest error in parts of what the arithmetic of the kernel allows; 0 where it is exact.
  double of_limit = 0.0;
  bool passed = false;
  std::string failure;  // one sentence
};

class KernelChecks {
 public:
  /// On an adapter of its own. Error: gpu, if there is none.
  static Result<KernelChecks> open();
  KernelChecks(KernelChecks&&) noexcept;
  KernelChecks& operator=(KernelChecks&&) noexcept;
  ~KernelChecks();

  /// The kernel of each check, sorted.
  std::vector<std::string> kernels() const;

  /// Begins check number `index`. What the kernel or the GPU refuses is in its report.
  void start(size_t index);
  /// Nothing: the check is over.
  std::optional<Wanted> wanted() const;
  void resume();
  KernelReport finish();

 private:
  struct Impl;
  explicit KernelChecks(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace handloom
