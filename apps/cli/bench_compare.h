// An earlier report of handloom bench --json, to set a new one against.
#pragma once

#include "bench_report.h"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <vector>

namespace cli {

struct EarlierFigure {
  std::string name;
  uint32_t tokens = 0;
  double median = 0.0;
};

struct EarlierBench {
  std::string date, commit, adapter, model;
  std::vector<EarlierFigure> figures;

  /// The median of the same figure, if it was measured.
  std::optional<double> median_of(const BenchFigure& figure) const;
};

/// Reads what --json wrote: a report, or one a line; of several, all. Throws Failure where a line
/// is none.
std::vector<EarlierBench> read_earlier(const std::string& path);

/// The last one of this model on this adapter; else the last.
const EarlierBench& choose_earlier(const std::vector<EarlierBench>& all, const BenchReport& report);

/// What is not the same in both, a sentence each.
std::vector<std::string> differences(const EarlierBench& earlier, const BenchReport& report);

}  // namespace cli
