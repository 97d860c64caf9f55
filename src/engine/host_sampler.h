// Choosing tokens on the host, for who asks for it: what does not, a page above all, has no
// Sampler.
#pragma once

#include "base/result.h"

#include <handloom/sampling_options.h>

#include <cstdint>
#include <functional>
#include <span>

namespace handloom::engine {

/// Chooses the token at `position`, as sampling::Sampler::sample.
using HostSampler = std::function<Result<uint32_t>(
    std::span<float> logits, std::span<const uint32_t> ids, size_t prompt_len, uint32_t position)>;

/// `options` must outlive it, and have been checked when it is first called.
HostSampler host_sampler(const SamplingOptions& options);

}  // namespace handloom::engine
