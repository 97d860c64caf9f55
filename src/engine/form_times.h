// How long the forms of the fused plan's products take on a device, by running them.
#pragma once

#include "base/result.h"
#include "gpu/device.h"
#include "ops/project_form.h"

#include <span>
#include <string>
#include <vector>

namespace handloom::engine {

struct FormTime {
  ops::ProjectForm form;
  double us = 0;        // of a pass over the matrices, the median of several
  std::string failure;  // why there is none; empty: there is
};

/// Of the products with one type of weight.
struct FormTimes {
  DType weight = DType::f32;
  uint64_t bytes = 0;           // of the matrices that a pass reads
  std::vector<FormTime> forms;  // that by rule first
};

/// What measuring may take.
struct TimingBudget {
  double seconds = 4;
  uint64_t bytes = uint64_t{400} << 20;  // of GPU memory
};

/// Runs the forms that are worth it (ops::candidate_forms) as a decode step would: gate, up and
/// down matrices of made-up weights, one after the other, each waiting for the one before. On the
/// GPU's clock where features() has timestamps, else from a submit to its bytes. A form that the
/// device refuses, or for which no time is left, says so in its failure. Errors: out_of_memory
/// where the budget holds no matrix, device_lost, and what the device says of its buffers.
Result<std::vector<FormTimes>> measure_forms(gpu::Device& device, std::span<const DType> weights,
                                             const TimingBudget& budget = {});

/// The one of `times.forms` to use: that by rule, unless another takes 5 % less time, so that noise
/// does not make two machines differ that are alike. nullptr: the times make no sense.
const FormTime* fastest(const FormTimes& times);

}  // namespace handloom::engine
