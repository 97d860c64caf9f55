// A small case of every kernel: inputs by formula, what its reference makes of them, and how far
// from that a GPU may be. For a page that shows each kernel at work; tests/ops has the tails, the
// odd sizes and every variant.
#pragma once

#include "checks/kernel_run.h"
#include "checks/tolerance.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::checks {

/// What a tensor must hold after the run.
struct Expectation {
  gpu::Tensor tensor;
  Host want;
  Tolerance tolerance = {};
  /// Makes values of its words; none: they are values of the tensor's type.
  std::function<Host(std::span<const uint32_t>)> read = {};
};

struct KernelCase {
  std::string kernel;  // the file's: "rms_norm"
  std::string about;   // "3 x 260, weight f16"
  std::function<std::vector<Expectation>(KernelRun&)> record;
  Features features = {};  // that its variant may use
};

using KernelCases = std::vector<KernelCase>;

/// All of them, for an adapter with these features; where a kernel has forms with subgroups and
/// without, its first case in both.
KernelCases kernel_cases(const Features& adapter);

// Its parts, by what the kernels do.
void add_row_cases(KernelCases& cases);
void add_matrix_cases(KernelCases& cases, const Features& features);
void add_expert_cases(KernelCases& cases);
void add_cache_cases(KernelCases& cases);
void add_attention_cases(KernelCases& cases);
void add_sampling_cases(KernelCases& cases);

}  // namespace handloom::checks
