#include "engine/host_sampler.h"

#include "sampling/sampler.h"

#include <optional>

namespace handloom::engine {

HostSampler host_sampler(const SamplingOptions& options) {
  return [&options, sampler = std::optional<sampling::Sampler>()](
             std::span<float> logits, std::span<const uint32_t> ids, size_t prompt_len,
             uint32_t position) mutable {
    if (!sampler) sampler.emplace(options);
    return sampler->sample(logits, ids, prompt_len, position);
  };
}

}  // namespace handloom::engine
