// Device on the GPU's clock: what each command takes, and what the GPU does between submits.
#include "gpu/device.h"
#include "gpu/device_state.h"
#include "gpu/encoder.h"

#include <algorithm>
#include <cstring>

namespace handloom::gpu {
namespace {

constexpr uint64_t kStampsBytes = kMostStamps * sizeof(uint64_t);
constexpr uint32_t kMostSpans = kMostStamps / 2;

static_assert(sizeof(GpuSpan) == 2 * sizeof(uint64_t));

}  // namespace

std::vector<GpuSpan> spans_of(std::span<const std::byte> bytes) {
  std::vector<GpuSpan> spans(bytes.size() / sizeof(GpuSpan));
  std::memcpy(spans.data(), bytes.data(), spans.size() * sizeof(GpuSpan));
  return spans;
}

Result<void> Device::check_timestamps() const {
  if (adapter().features.timestamps) return {};
  return fail(ErrorCode::unsupported,
              "device: adapter '{}' does not have the feature timestamp-query, expected it for "
              "times on the GPU's clock",
              adapter().name);
}

Result<Readback> Device::profile(const Recording& recording) {
  CHECK_OK(check_timestamps());
  std::vector<Id> stamps;
  std::span<const Command> rest = recording.commands();
  while (!rest.empty()) {
    const auto part = rest.first(std::min<size_t>(rest.size(), kMostSpans));
    rest = rest.subspan(part.size());
    stamps.push_back(state_->backend->create_buffer("stamps", kStampsBytes, BufferUse::stamps));
    state_->backend->submit(recording.label(), part,
                            {.kind = Stamping::Kind::each, .stamps = stamps.back()});
  }
  return read_stamps(stamps, static_cast<uint32_t>(recording.commands().size()));
}

Result<void> Device::start_trace() {
  CHECK_OK(check_timestamps());
  const Id stamps = state_->backend->create_buffer("trace", kStampsBytes, BufferUse::stamps);
  state_->trace = Stamping{.kind = Stamping::Kind::whole, .stamps = stamps};
  return {};
}

Readback Device::end_trace() {
  const Stamping trace = *std::exchange(state_->trace, std::nullopt);
  return read_stamps({&trace.stamps, 1}, trace.first / 2);
}

Readback Device::read_stamps(std::span<const Id> stamps, uint32_t n_spans) {
  const uint64_t bytes = n_spans * sizeof(GpuSpan);
  if (bytes == 0) return settle();
  const Id staging = state_->borrow_readback(bytes);
  std::vector<Command> copies;
  for (uint64_t done = 0; done < bytes; done += kStampsBytes) {
    const uint64_t part = std::min(bytes - done, kStampsBytes);
    copies.push_back({.kind = Command::Kind::copy,
                      .from = {stamps[done / kStampsBytes], 0, part},
                      .to = {staging, done, part}});
  }
  state_->submit("stamps", copies);
  for (const Id id : stamps) state_->backend->destroy_buffer(id);  // the submit keeps it alive
  state_->backend->start_map(staging, bytes);
  return Readback(state_, staging, bytes);
}

}  // namespace handloom::gpu
