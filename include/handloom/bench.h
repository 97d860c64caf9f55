// Measuring a loaded model: what `handloom bench` is made of.
#pragma once

#include <handloom/handloom.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace handloom {

/// Which text of a kernel a program was built with.
struct KernelHash {
  std::string kernel;  // as in PlanEntry: "rms_norm"
  std::string md5;     // of its flattened WGSL
};

/// Of every kernel, by name.
std::vector<KernelHash> kernel_hashes();

/// What a step costs on the GPU's clock.
struct StepProfile {
  std::vector<PlanEntry> entries;
  /// Microseconds of each entry, run in a pass of its own: from its begin, or the end of the one
  /// before if that is later, to its end. The median of several runs.
  std::vector<double> us;
  /// Microseconds of the step as generating submits it, first begin to last end. What it exceeds
  /// the sum of `us` by, the GPU waits between dispatches; passes of their own may also cost more.
  double span_us = 0.0;
};

/// What the GPU does while one step after the other is generated.
struct StepTrace {
  uint32_t n_steps = 0;
  double step_us = 0.0;  // of the GPU at work on one step, the mean
  double idle = 0.0;     // share of the time that it waits for the next submit, 0 to 1
};

struct BenchOptions {
  uint32_t steps_in_flight = 0;  // these two as in GenerateOptions
  bool sample_on_host = false;
  std::function<bool()> go_on;  // asked after each token; false ends the measurement early
};

/// One session on which the same work is done again and again. Tokens are made up, choice is
/// greedy, end tokens end nothing; what tokens are costs no time. `context`, `n_prompt`: tokens
/// held before, at least 1. Errors: invalid_argument where the session's context is too short, and
/// whatever generating may say.
class Bench {
 public:
  static Result<Bench> create(Engine& engine);
  Bench(Bench&&) noexcept;
  Bench& operator=(Bench&&) noexcept;
  ~Bench();

  /// Evaluates `n_tokens` from nothing, up to the first token.
  Result<Timings> prefill(uint32_t n_tokens, const BenchOptions& options);
  /// `n_tokens` steps, the first after `context` tokens. These are evaluated once and held; what
  /// earlier calls appended behind them stays and is attended to in a longer context.
  Result<Timings> decode(uint32_t context, uint32_t n_tokens, const BenchOptions& options);

  /// The greedy continuation of `n_prompt` tokens.
  Result<std::vector<uint32_t>> greedy(uint32_t n_prompt, uint32_t n_tokens,
                                       const BenchOptions& options);
  /// The logits that `ids` are chosen from where they follow `n_prompt` tokens, by decode steps:
  /// [ids.size(), vocab_size].
  Result<HostTensor> logits(uint32_t n_prompt, std::span<const uint32_t> ids);

  // These need the adapter's feature `timestamps`; without it: unsupported.
  /// decode() with the GPU's clock read before and after every submit.
  Result<StepTrace> trace_decode(uint32_t context, uint32_t n_tokens, const BenchOptions& options);
  Result<StepProfile> profile_decode(uint32_t context);
  Result<StepProfile> profile_prefill(uint32_t n_tokens);

  struct Impl;
  explicit Bench(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace handloom
