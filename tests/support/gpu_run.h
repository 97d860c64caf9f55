// GpuRun: one op on the GPU, with every tensor inside guards.
//
// A tensor is a cut of a larger buffer. The words before and behind it hold a pattern that must be
// there afterwards; the pattern is NaN as f32, f16 and bf16, so that a result computed from it
// shows. Outputs start as NaN, of which nothing may be left. Inputs must not change.
#pragma once

#include "tests/support/gpu_device.h"
#include "tests/support/host_data.h"

#include "gpu/encoder.h"

#include <fmt/format.h>

#include <deque>
#include <string>

namespace handloom::test {

class GpuRun {
 public:
  explicit GpuRun(const Features& features) : encoder_(device(), "test") {
    encoder_.restrict_features(features);
  }

  gpu::Encoder& encoder() { return encoder_; }

  /// An input of f32, f16 or bf16 values; it may not change.
  gpu::Tensor in(std::string name, const Host& host, DType dtype = DType::f32) {
    return add(std::move(name), Role::in, host.shape, dtype, to_words(host.values, dtype));
  }
  gpu::Tensor in(std::string name, std::span<const uint32_t> values) {
    return add(std::move(name), Role::in, {static_cast<uint32_t>(values.size())}, DType::u32,
               {values.begin(), values.end()});
  }
  gpu::Tensor in(std::string name, Shape shape, DType dtype, std::vector<uint32_t> words) {
    return add(std::move(name), Role::in, shape, dtype, std::move(words));
  }
  /// A tensor that the op changes or changes in part.
  gpu::Tensor inout(std::string name, const Host& host, DType dtype = DType::f32) {
    return add(std::move(name), Role::inout, host.shape, dtype, to_words(host.values, dtype));
  }
  gpu::Tensor inout(std::string name, std::span<const uint32_t> values) {
    return add(std::move(name), Role::inout, {static_cast<uint32_t>(values.size())}, DType::u32,
               {values.begin(), values.end()});
  }
  gpu::Tensor inout(std::string name, Shape shape, DType dtype, std::vector<uint32_t> words) {
    return add(std::move(name), Role::inout, shape, dtype, std::move(words));
  }
  /// An f32 output, all of which the op must write.
  gpu::Tensor out(std::string name, Shape shape) {
    return add(std::move(name), Role::out, shape, DType::f32,
               std::vector<uint32_t>(shape.count(), kPoison));
  }

  /// Submits what was recorded, `times` times over, and checks guards, inputs and poison.
  testing::AssertionResult run(uint32_t times = 1) {
    Result<gpu::Recording> recording = encoder_.finish();
    if (!recording) return testing::AssertionFailure() << recording.error().message;
    for (const PlanEntry& entry : recording->plan()) kernels_.push_back(entry.kernel);
    for (uint32_t i = 0; i < times; ++i) device().submit(*recording);
    for (Tracked& t : tracked_) t.readback = device().read(t.whole);
    for (Tracked& t : tracked_) {
      const auto bytes = gpu::wait(device(), std::move(t.readback));
      if (!bytes) return testing::AssertionFailure() << bytes.error().message;
      t.after.resize(bytes->size() / 4);
      std::memcpy(t.after.data(), bytes->data(), bytes->size());
    }
    for (const Tracked& t : tracked_) {
      if (auto verdict = check(t); !verdict) return verdict;
    }
    return testing::AssertionSuccess();
  }

  /// What run() found in a tensor.
  Host values(const gpu::Tensor& tensor) const {
    return from_words(words(tensor), tensor.shape, tensor.dtype);
  }
  std::span<const uint32_t> words(const gpu::Tensor& tensor) const {
    for (const Tracked& t : tracked_) {
      if (t.whole.buffer == tensor.buffer) return t.payload(t.after);
    }
    return {};
  }
  /// The kernels of the recorded list, one per dispatch.
  const std::vector<std::string>& kernels() const { return kernels_; }

 private:
  enum class Role { in, inout, out };
  static constexpr uint32_t kGuard = 64;  // words on each side; 256 bytes keep offsets aligned
  static constexpr uint32_t kPoison = 0x7fc0dead;

  struct Tracked {
    Role role;
    gpu::Tensor whole;
    std::vector<uint32_t> before, after = {};  // with guards
    gpu::Readback readback = {};

    std::span<const uint32_t> payload(std::span<const uint32_t> words) const {
      return words.subspan(kGuard, words.size() - 2 * kGuard);
    }
  };

  static uint32_t guard_word(size_t i) { return 0x7fc17fc1u + static_cast<uint32_t>(i % 64); }

  gpu::Tensor add(std::string name, Role role, Shape shape, DType dtype,
                  std::vector<uint32_t> payload) {
    std::vector<uint32_t> words(payload.size() + 2 * kGuard);
    for (size_t i = 0; i < words.size(); ++i) words[i] = guard_word(i);
    std::ranges::copy(payload, words.begin() + kGuard);
    auto whole = device().create_tensor(name, DType::u32, {static_cast<uint32_t>(words.size())},
                                        gpu::MemoryKind::other);
    if (!whole) {
      encoder_.fail(whole.error().message);
      return {.shape = shape, .dtype = dtype, .name = std::move(name)};
    }
    device().write(*whole, std::as_bytes(std::span(words)));
    gpu::Tensor cut = *whole;
    cut.offset = kGuard * 4;
    cut.shape = shape;
    cut.dtype = dtype;
    tracked_.push_back({.role = role, .whole = *whole, .before = std::move(words)});
    return cut;
  }

  static testing::AssertionResult check(const Tracked& t) {
    for (size_t i = 0; i < t.after.size(); ++i) {
      const bool is_guard = i < kGuard || i >= t.after.size() - kGuard;
      if ((is_guard || t.role == Role::in) && t.after[i] != t.before[i]) {
        return testing::AssertionFailure()
               << fmt::format("{} '{}' was changed at word {}: {:#010x}, expected {:#010x}",
                              is_guard ? "the guard of" : "the input", t.whole.name,
                              static_cast<int64_t>(i) - kGuard, t.after[i], t.before[i]);
      }
      if (!is_guard && t.role == Role::out && std::isnan(std::bit_cast<float>(t.after[i]))) {
        return testing::AssertionFailure()
               << fmt::format("the output '{}' is NaN at value {}{}", t.whole.name, i - kGuard,
                              t.after[i] == kPoison ? ": it was not written" : "");
      }
    }
    return testing::AssertionSuccess();
  }

  gpu::Encoder encoder_;
  std::deque<Tracked> tracked_;
  std::vector<std::string> kernels_;
};

}  // namespace handloom::test
