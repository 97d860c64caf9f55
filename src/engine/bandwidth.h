// BandwidthProbe: how fast the adapter reads a large buffer, as a state machine that never waits.
#pragma once

#include "gpu/device.h"
#include "gpu/encoder.h"

#include <chrono>

namespace handloom::engine {

class BandwidthProbe {
 public:
  static Result<BandwidthProbe> start(gpu::Device& device);

  bool finished() const { return is_finished_; }
  /// Submits the next run; to be completed by the host without delay.
  gpu::Readback next_readback();
  void resume();
  double bytes_per_second() const { return best_; }

 private:
  using Clock = std::chrono::steady_clock;

  BandwidthProbe(gpu::Device& device, gpu::Recording recording, gpu::Tensor data,
                 gpu::Tensor folded)
      : device_(device),
        recording_(std::move(recording)),
        data_(std::move(data)),
        folded_(std::move(folded)) {}

  gpu::Device& device_;
  gpu::Recording recording_;
  gpu::Tensor data_, folded_;  // a recording does not keep what it binds
  uint32_t repeats_ = 0;  // of the run under way; the first one, which compiles and warms up, is 0
  Clock::time_point started_;
  double best_ = 0;
  bool is_finished_ = false;
};

}  // namespace handloom::engine
