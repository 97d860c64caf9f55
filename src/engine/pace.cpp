#include "engine/pace.h"

#include "engine/times.h"

#include <algorithm>
#include <cmath>

namespace handloom::engine {
namespace {

constexpr uint32_t kFewest = 2, kMost = 16;  // chosen steps in flight
// The work that waits for the GPU, at least: less, and a late host and the gap between two submits
// show. On an H200 steps of 0.58 ms were 1 % faster with eight in flight than with four, steps of
// 0.16 ms 15 % with sixteen (docs/notebook/0013).
constexpr double kAheadMs = 4;
constexpr double kBurstMs = 8;   // tokens that come together within this look like a flow
constexpr double kNewest = 0.2;  // weight of the newest measurement in step_ms

}  // namespace

uint32_t Pace::steps_in_flight() const {
  if (wanted_ > 0) return wanted_;
  if (step_ms_ <= 0) return kFewest;
  const double n = std::max(std::ceil(readback_ms_ / step_ms_) + 1, std::ceil(kAheadMs / step_ms_));
  return static_cast<uint32_t>(std::clamp<double>(n, kFewest, kMost));
}

uint32_t Pace::steps_per_submit() const {
  const uint32_t half = std::max(steps_in_flight() / 2, 1u);
  if (half == 1 || step_ms_ <= 0) return 1;
  return static_cast<uint32_t>(std::clamp(kBurstMs / step_ms_, 1.0, static_cast<double>(half)));
}

void Pace::saw(uint32_t n_steps, Clock::time_point submitted, Clock::time_point before,
               Clock::time_point now) {
  visible_ms_.push_back(milliseconds(now - submitted));
  // A step cannot have begun before its submit.
  const double ms = milliseconds(now - std::max(before, submitted)) / n_steps;
  step_ms_ = step_ms_ > 0 ? step_ms_ + kNewest * (ms - step_ms_) : ms;
}

double Pace::visible_ms() const { return median(visible_ms_); }

}  // namespace handloom::engine
