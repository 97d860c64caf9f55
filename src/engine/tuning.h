// Tuning: the fastest forms of products on a device, measured when it is first used and kept
// (tuning_cache.h).
#pragma once

#include "engine/form_times.h"
#include "ops/project_form.h"

#include <handloom/handloom.h>

#include <functional>
#include <set>
#include <span>
#include <string_view>
#include <vector>

namespace handloom::engine {

using Notice = std::function<void(std::string_view)>;
using Measure = std::function<Result<std::vector<FormTimes>>(std::span<const DType>)>;

struct Tuned {
  std::set<DType> weights = {};  // whose form is a measured one
  double seconds = 0;            // that measuring took; 0: all was kept
};

/// Puts what was measured on the adapter for products with `weights` in place of what `forms` hold.
/// Where nothing is kept, it is measured now, on a device of its own, so that nothing that goes
/// wrong is left to the model's; where that cannot be, `notice` hears why and the form stays. In a
/// page: none.
Tuned use_measured_forms(const LoadOptions& options, const AdapterInfo& adapter,
                         const std::set<DType>& weights, ops::ProjectForms& forms);

/// The same with a measurement of the caller's. Natively alone.
Tuned use_measured_forms(const AdapterInfo& adapter, const std::set<DType>& weights,
                         const Measure& measure, const Notice& notice, ops::ProjectForms& forms);

}  // namespace handloom::engine
