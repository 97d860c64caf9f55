// Sampling: the model's own wishes, overridden by the command line.
#pragma once

#include "commands.h"

#include <handloom/sampling_options.h>

#include <cstdint>
#include <string>

namespace cli {

/// `defaults` (of generation_config.json) with every given flag in its place. Without --seed the
/// seed is `random_seed`.
handloom::SamplingOptions apply(const SamplingFlags& flags, handloom::SamplingOptions defaults,
                                uint64_t random_seed);

/// A line about flags that change nothing because the run is greedy, or empty.
std::string greedy_note(const SamplingFlags& flags, const handloom::SamplingOptions& sampling);

/// A seed that is short enough to be typed again.
uint64_t draw_seed();

}  // namespace cli
