// What handloom bench finds out: one record that the table, the JSON and a later comparison read.
#pragma once

#include "samples.h"

#include <handloom/bench.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cli {

/// A line of the table. Name and tokens say what it is, in this report and in an earlier one.
struct BenchFigure {
  std::string name;     // "decode"
  uint32_t tokens = 0;  // of the prompt, or held before the first step; 0: does not matter
  std::string unit;     // "tok/s"
  Samples samples;
  double bytes_per_second = 0.0;  // from GPU memory, at the median; 0: not a figure of that kind
};

/// Whether what is timed computes the right thing.
struct BenchCheck {
  uint32_t n_tokens = 0;
  std::vector<uint32_t> ids;  // generated, for whoever computes the same elsewhere
  bool is_finite = false;     // no logit is NaN or infinite, and no row is all zeros
  uint32_t n_chosen = 0;      // ids generated that are the largest of their logits
  std::optional<uint32_t>
      n_equal;  // ids of plan plain that these logits choose, too; none: is plain
  double largest_difference = 0.0;  // ||logits - plain|| / ||plain||, the largest of a row
  double tolerance = 0.0;
  std::string failure;  // one sentence; empty: it does
};

struct BenchProfile {
  std::string title;  // "decode step after 256 tokens"
  handloom::StepProfile step;
};

/// One way to do the same, and what it makes of the speed.
struct BenchVariant {
  std::string name;     // "plan plain"
  std::string refusal;  // why this device does not do it; empty: it does
  std::vector<BenchFigure> figures;
};

struct BenchReport {
  std::string date, commit, system;
  handloom::AdapterInfo adapter;
  handloom::ModelInfo model;
  std::string weights;       // the type of most of them, on the GPU: "q4_0"
  std::string plan, matvec;  // as asked for: "automatic"; what it came to is the model's
  std::string sampling;      // "GPU" or "host"
  bool subgroups = true;
  bool tuned = false;            // whether measured forms of products were asked for
  uint32_t steps_in_flight = 0;  // 0: chosen
  uint32_t repeats = 0;
  std::vector<handloom::KernelHash> kernels;  // of both plans
  BenchCheck check;
  double read_bandwidth = 0.0;  // bytes per second
  std::vector<BenchFigure> figures;
  std::optional<handloom::StepTrace> trace;
  std::vector<BenchProfile> profiles;
  std::vector<BenchVariant> ablation;  // the first is what all others are compared with
};

}  // namespace cli
