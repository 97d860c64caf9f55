#include "checks/kernel_run.h"

#include "base/result.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace handloom::checks {
namespace {

constexpr uint32_t kGuard = 64;  // words on each side; 256 bytes keep offsets aligned
constexpr uint32_t kPoison = 0x7fc0dead;

uint32_t guard_word(size_t i) { return 0x7fc17fc1u + static_cast<uint32_t>(i % 64); }

std::vector<uint32_t> copy(std::span<const uint32_t> words) { return {words.begin(), words.end()}; }

}  // namespace

KernelRun::KernelRun(gpu::Device& device, const Features& features)
    : device_(device), encoder_(device, "check") {
  encoder_.restrict_features(features);
}

gpu::Tensor KernelRun::in(std::string name, const Host& host, DType dtype) {
  return add(std::move(name), Role::in, host.shape, dtype, to_words(host.values, dtype));
}

gpu::Tensor KernelRun::in(std::string name, std::span<const uint32_t> values) {
  return add(std::move(name), Role::in, {static_cast<uint32_t>(values.size())}, DType::u32,
             copy(values));
}

gpu::Tensor KernelRun::in(std::string name, Shape shape, DType dtype, std::vector<uint32_t> words) {
  return add(std::move(name), Role::in, shape, dtype, std::move(words));
}

gpu::Tensor KernelRun::inout(std::string name, const Host& host, DType dtype) {
  return add(std::move(name), Role::inout, host.shape, dtype, to_words(host.values, dtype));
}

gpu::Tensor KernelRun::inout(std::string name, std::span<const uint32_t> values) {
  return add(std::move(name), Role::inout, {static_cast<uint32_t>(values.size())}, DType::u32,
             copy(values));
}

gpu::Tensor KernelRun::inout(std::string name, Shape shape, DType dtype,
                             std::vector<uint32_t> words) {
  return add(std::move(name), Role::inout, shape, dtype, std::move(words));
}

gpu::Tensor KernelRun::out(std::string name, Shape shape) {
  return add(std::move(name), Role::out, shape, DType::f32,
             std::vector<uint32_t>(shape.count(), kPoison));
}

gpu::Tensor KernelRun::add(std::string name, Role role, Shape shape, DType dtype,
                           std::vector<uint32_t> payload) {
  std::vector<uint32_t> words(payload.size() + 2 * kGuard);
  for (size_t i = 0; i < words.size(); ++i) words[i] = guard_word(i);
  std::ranges::copy(payload, words.begin() + kGuard);
  auto whole = device_.create_tensor(name, DType::u32, {static_cast<uint32_t>(words.size())},
                                     gpu::MemoryKind::other);
  if (!whole) {
    encoder_.fail(whole.error().message);
    return {.shape = shape, .dtype = dtype, .name = std::move(name)};
  }
  device_.write(*whole, std::as_bytes(std::span(words)));
  gpu::Tensor cut = *whole;
  cut.offset = kGuard * 4;
  cut.shape = shape;
  cut.dtype = dtype;
  tracked_.push_back({.role = role, .whole = *whole, .before = std::move(words)});
  return cut;
}

Result<void> KernelRun::submit(uint32_t times) {
  TRY(const gpu::Recording recording, encoder_.finish());
  for (const PlanEntry& entry : recording.plan()) kernels_.push_back(entry.kernel);
  for (uint32_t i = 0; i < times; ++i) device_.submit(recording);
  for (Tracked& t : tracked_) t.readback = device_.read(t.whole);
  return {};
}

void KernelRun::resume(std::span<const std::byte> bytes) {
  std::vector<uint32_t>& after = tracked_[n_read_++].after;
  after.resize(bytes.size() / 4);
  std::memcpy(after.data(), bytes.data(), bytes.size());
}

Result<void> KernelRun::check() const {
  for (const Tracked& t : tracked_) CHECK_OK(check(t));
  return {};
}

Result<void> KernelRun::check(const Tracked& t) {
  for (size_t i = 0; i < t.after.size(); ++i) {
    const bool is_guard = i < kGuard || i >= t.after.size() - kGuard;
    const auto at = static_cast<int64_t>(i) - kGuard;
    if ((is_guard || t.role == Role::in) && t.after[i] != t.before[i]) {
      return fail(ErrorCode::gpu, "{} '{}' was changed at word {}: {:#010x}, expected {:#010x}",
                  is_guard ? "the guard of" : "the input", t.whole.name, at, t.after[i],
                  t.before[i]);
    }
    if (!is_guard && t.role == Role::out && std::isnan(std::bit_cast<float>(t.after[i]))) {
      return fail(ErrorCode::gpu, "the output '{}' is NaN at value {}{}", t.whole.name, at,
                  t.after[i] == kPoison ? ": it was not written" : "");
    }
  }
  return {};
}

Host KernelRun::values(const gpu::Tensor& tensor) const {
  return from_words(words(tensor), tensor.shape, tensor.dtype);
}

std::span<const uint32_t> KernelRun::words(const gpu::Tensor& tensor) const {
  for (const Tracked& t : tracked_) {
    if (t.whole.buffer != tensor.buffer) continue;
    return std::span(t.after).subspan(kGuard, t.after.size() - 2 * kGuard);
  }
  return {};
}

}  // namespace handloom::checks
