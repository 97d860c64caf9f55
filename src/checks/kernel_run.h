// KernelRun: ops on the GPU, with every tensor inside guards, as a state machine that never waits.
//
// A tensor is a cut of a larger buffer. The words before and behind it hold a pattern that must be
// there afterwards; the pattern is NaN as f32, f16 and bf16, so that a result computed from it
// shows. Outputs start as NaN, of which nothing may be left. Inputs must not change.
//
//   KernelRun run(device, features);
//   ops::add(run.encoder(), run.in("x", x), run.inout("y", y));
//   run.submit();
//   while (!run.finished()) run.resume(<wait for run.next_readback()>);
//   run.check();
#pragma once

#include "checks/host_data.h"
#include "gpu/encoder.h"

#include <deque>
#include <string>

namespace handloom::checks {

class KernelRun {
 public:
  KernelRun(gpu::Device& device, const Features& features);

  gpu::Encoder& encoder() { return encoder_; }

  /// An input of f32, f16 or bf16 values; it may not change.
  gpu::Tensor in(std::string name, const Host& host, DType dtype = DType::f32);
  gpu::Tensor in(std::string name, std::span<const uint32_t> values);
  gpu::Tensor in(std::string name, Shape shape, DType dtype, std::vector<uint32_t> words);
  /// A tensor that the op changes or changes in part.
  gpu::Tensor inout(std::string name, const Host& host, DType dtype = DType::f32);
  gpu::Tensor inout(std::string name, std::span<const uint32_t> values);
  gpu::Tensor inout(std::string name, Shape shape, DType dtype, std::vector<uint32_t> words);
  /// An f32 output, all of which the op must write.
  gpu::Tensor out(std::string name, Shape shape);

  /// Submits what was recorded, `times` times over. Error: internal, if an op refused.
  Result<void> submit(uint32_t times = 1);
  bool finished() const { return n_read_ == tracked_.size(); }
  gpu::Readback next_readback() { return std::move(tracked_[n_read_].readback); }
  void resume(std::span<const std::byte> bytes);
  /// That guards and inputs are as they were, and outputs written.
  Result<void> check() const;

  /// What a tensor holds afterwards.
  Host values(const gpu::Tensor& tensor) const;
  std::span<const uint32_t> words(const gpu::Tensor& tensor) const;
  /// The kernels of the recorded list, one per dispatch.
  const std::vector<std::string>& kernels() const { return kernels_; }

 private:
  enum class Role : uint8_t { in, inout, out };

  struct Tracked {
    Role role;
    gpu::Tensor whole;
    std::vector<uint32_t> before, after = {};  // with guards
    gpu::Readback readback = {};
  };

  gpu::Tensor add(std::string name, Role role, Shape shape, DType dtype,
                  std::vector<uint32_t> payload);
  static Result<void> check(const Tracked& t);

  gpu::Device& device_;
  gpu::Encoder encoder_;
  std::deque<Tracked> tracked_;
  size_t n_read_ = 0;
  std::vector<std::string> kernels_;
};

}  // namespace handloom::checks
