// A bench report as people read it.
#pragma once

#include "bench_compare.h"
#include "bench_report.h"

#include <span>
#include <string>

namespace cli {

/// All of it, with what the figures were before where `earlier` is given.
std::string bench_text(const BenchReport& report, const EarlierBench* earlier);

/// What the dispatches of one kernel take together.
struct KernelShare {
  std::string kernel;
  uint32_t count = 0;
  double us = 0.0;
  uint64_t bytes = 0;
};

/// The longest first.
std::vector<KernelShare> group_by_kernel(const handloom::StepProfile& profile);

}  // namespace cli
