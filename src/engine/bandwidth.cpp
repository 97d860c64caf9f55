#include "engine/bandwidth.h"

#include "base/result.h"
#include "kernels/kernels.h"

#include <algorithm>

namespace handloom::engine {
namespace {

constexpr uint32_t kWorkgroups = 4096;
constexpr uint32_t kMostRepeats = 1u << 12;

/// Larger than any cache of a GPU; a software adapter has the CPU's.
uint64_t bytes_to_read(const AdapterInfo& adapter) {
  const bool is_software = adapter.kind == AdapterKind::software;
  const uint64_t most = is_software ? uint64_t{64} << 20 : uint64_t{512} << 20;
  const Limits& limits = adapter.limits;
  return std::min({most, limits.max_binding_bytes, limits.max_buffer_bytes}) & ~15u;
}

/// Of the last and longest measurement; those before it take as long together. An idle GPU needs
/// some 0.3 s of work to reach its clocks.
double seconds_wanted(const AdapterInfo& adapter) {
  return adapter.kind == AdapterKind::software ? 0.05 : 0.25;
}

}  // namespace

Result<BandwidthProbe> BandwidthProbe::start(gpu::Device& device) {
  const uint64_t bytes = bytes_to_read(device.adapter());
  const auto n = static_cast<uint32_t>(bytes / 16);
  TRY(gpu::Tensor data,
      device.create_tensor("bandwidth.data", DType::u32, {n, 4}, gpu::MemoryKind::other));
  TRY(gpu::Tensor folded,
      device.create_tensor("bandwidth.folded", DType::u32, {kWorkgroups}, gpu::MemoryKind::other));
  gpu::Encoder enc(device, "read bandwidth");
  enc.dispatch({.kernel = kernels::read_bandwidth(),
                .bindings = {data, folded},
                .params = kernels::ReadBandwidthParams{.n = n, .n_workgroups = kWorkgroups},
                .workgroups = {kWorkgroups, 1, 1}});
  TRY(gpu::Recording recording, enc.finish());
  return BandwidthProbe(device, std::move(recording), std::move(data), std::move(folded));
}

gpu::Readback BandwidthProbe::next_readback() {
  started_ = Clock::now();
  for (uint32_t i = 1; i < repeats_; ++i) device_.submit(recording_);
  return device_.submit_and_read(recording_, folded_);
}

void BandwidthProbe::resume() {
  const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  if (repeats_ > 0)
    best_ = std::max(best_, static_cast<double>(data_.bytes()) * repeats_ / seconds);
  is_finished_ =
      repeats_ > 0 && (seconds > seconds_wanted(device_.adapter()) || repeats_ >= kMostRepeats);
  repeats_ = std::max(1u, 2 * repeats_);
}

}  // namespace handloom::engine
