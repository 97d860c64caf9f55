// What each choice is worth: the same measurement with one thing changed at a time.
#pragma once

#include "bench_measure.h"

#include <vector>

namespace cli {

/// The first variant is `base`, which came to `report`; the others change how steps are recorded,
/// multiplied, sampled or kept in flight. Ways that share a loading of the model are measured by
/// turns.
std::vector<BenchVariant> ablate(const BenchCommand& base, const BenchWork& work,
                                 const BenchReport& report);

}  // namespace cli
