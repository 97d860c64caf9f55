// What ops::sample_token works with, inside guards: all that kernels have to write first is
// poisoned.
#pragma once

#include "ops/sample_token.h"
#include "tests/support/gpu_run.h"

namespace handloom::test {

/// As before the first token after `prompt`.
inline ops::SamplingBuffers sampling_buffers(GpuRun& run, const SamplingOptions& options,
                                             std::span<const uint32_t> prompt,
                                             uint32_t vocab_size) {
  const uint32_t n_groups = (vocab_size + 2047) / 2048;
  const auto poisoned = [&](std::string name, Shape shape) {
    return run.inout(std::move(name), shape, DType::u32,
                     std::vector<uint32_t>(shape.count(), 0xabababab));
  };
  const ops::SamplingWords options_words = ops::sampling_words(options);
  std::vector<uint32_t> words(sizeof options_words / 4);
  std::memcpy(words.data(), &options_words, sizeof options_words);
  return {.options = run.in("options", words),
          .adjustments = run.inout("adjustments", {vocab_size, 2}, DType::u32,
                                   ops::adjustments(options, prompt, vocab_size)),
          .maxima = poisoned("maxima", {n_groups}),
          .histograms = poisoned("histograms", {8, 256, 2}),
          .cuts = poisoned("cuts", {8, 6}),
          .best = poisoned("best", {n_groups, 2})};
}

}  // namespace handloom::test
