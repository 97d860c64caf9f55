// Pace: how many decode steps are in flight, and how many go into one submit.
//
// A token is known here only some time after its step is done: the GPU signals, the driver wakes
// the host, the host submits the next. Enough further steps must be queued meanwhile, and some
// milliseconds of them for a host that is late. Where these are many, several are submitted and
// read back at once, half of those in flight, as long as a burst of tokens does not show.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace handloom::engine {

class Pace {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr uint32_t kMostWanted = 64;

  /// `wanted` steps in flight; 0: chosen by `readback_ms`, the way from a submit to its bytes, and
  /// `step_ms`, what a step takes, as far as that is known (0: not).
  Pace(uint32_t wanted, double readback_ms, double step_ms)
      : wanted_(wanted), readback_ms_(readback_ms), step_ms_(step_ms) {}

  uint32_t steps_in_flight() const;
  uint32_t steps_per_submit() const;

  /// The tokens of `n_steps` decode steps have become known; `before` is when the last one was.
  void saw(uint32_t n_steps, Clock::time_point submitted, Clock::time_point before,
           Clock::time_point now);

  double step_ms() const { return step_ms_; }
  /// The median time from a submit until its tokens were known; 0 before saw().
  double visible_ms() const;

 private:
  uint32_t wanted_;
  double readback_ms_;
  double step_ms_;
  std::vector<double> visible_ms_;
};

}  // namespace handloom::engine
