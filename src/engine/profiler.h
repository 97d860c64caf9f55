// Profiler: what the dispatches of a step cost on the GPU's clock, as a state machine that never
// waits (generator.h has the loop around such a one).
#pragma once

#include "engine/engine_impl.h"
#include "gpu/encoder.h"

#include <handloom/bench.h>

#include <optional>
#include <vector>

namespace handloom::engine {

class Profiler {
 public:
  /// Of the decode step that evaluates the last of `ids`, whose others `session` has evaluated at
  /// the head of its timeline; of the prefill of all of them. `ids` must live as long.
  static Profiler of_decode(Session::Impl& session, std::span<const uint32_t> ids);
  static Profiler of_prefill(Session::Impl& session, std::span<const uint32_t> ids);

  bool finished() const { return pass_ == passes_.size(); }
  /// Submits the next run. Error: unsupported, without the feature `timestamps`.
  Result<gpu::Readback> next_readback();
  void resume(std::span<const std::byte> stamps);
  StepProfile finish();

 private:
  /// What one list of dispatches evaluates: `n` ids from `first` on.
  struct Pass {
    uint32_t first = 0, n = 0;
  };

  Profiler(Session::Impl& session, std::span<const uint32_t> ids) : session_(session), ids_(ids) {}
  Result<void> record(const Pass& pass);
  void end_pass();

  Session::Impl& session_;
  std::span<const uint32_t> ids_;
  std::vector<Pass> passes_;
  size_t pass_ = 0;
  std::optional<gpu::Recording> recording_;  // of the pass, from its first run on
  uint32_t run_ = 0;                         // of the pass
  bool is_whole_ = false;  // this run has the clock read around the list, not around each command
  std::vector<std::vector<double>> us_;  // of each command, by run
  std::vector<double> span_us_;
  StepProfile profile_;
};

/// Microseconds of span i beyond what the one before it takes.
double own_us(std::span<const gpu::GpuSpan> spans, size_t i);

}  // namespace handloom::engine
