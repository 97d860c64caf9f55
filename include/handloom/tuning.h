// Tuning by hand: which form of the decode steps' matrix products is fastest on a device. What
// `handloom tune` is made of; LoadOptions::tune does the same for a model's types of weights.
#pragma once

#include <handloom/handloom.h>

#include <cstdint>
#include <string>
#include <vector>

namespace handloom {

/// A form that was run.
struct FormTiming {
  ProductForm form;
  double us = 0.0;  // of a pass over made-up matrices, the median of several
  double bytes_per_second = 0.0;
  bool is_rule = false;    // what is used where nothing is measured
  bool is_chosen = false;  // what is used from now on
  std::string failure;     // why there is no time; empty: there is
};

struct TuningReport {
  AdapterInfo adapter;
  std::vector<FormTiming> forms;  // one type of weight after the other
  double seconds = 0.0;
  std::string file;  // that holds what was chosen; empty: none could be written
  std::vector<std::string> notices;
};

/// Measures the usual types of weights, in less than five seconds, and keeps what is fastest in the
/// user's cache folder. `adapter` as in LoadOptions. Errors: those of opening the device, and of a
/// device that fails.
Result<TuningReport> tune_device(const std::string& adapter = "");

/// What is kept for an adapter; empty: nothing, or with other kernels. Errors: io, bad_format.
Result<std::vector<ProductForm>> stored_tuning(const AdapterInfo& adapter);

}  // namespace handloom
