// Device: an open adapter with its buffers, its pipelines and what went wrong on it.
//
// Nothing here waits. A Readback completes when the host says so: natively by gpu::wait (native.h),
// in a page by a promise. Errors of the GPU come late by nature; each Readback carries them up.
#pragma once

#include "base/result.h"
#include "gpu/backend.h"
#include "gpu/tensor.h"

#include <handloom/handloom.h>

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::gpu {

class Recording;

/// When the GPU began and ended something, in nanoseconds of its own clock.
struct GpuSpan {
  uint64_t begin_ns = 0, end_ns = 0;
};

/// What a Readback of profile() or end_trace() holds.
std::vector<GpuSpan> spans_of(std::span<const std::byte> bytes);

/// What a tensor takes at least.
inline constexpr uint64_t kLeastTensorBytes = 16;

enum class MemoryKind : uint8_t { weights, kv_cache, activations, other, kv_host };

class Buffer {
 public:
  Buffer(std::shared_ptr<class DeviceState> state, Id id, uint64_t bytes, MemoryKind kind);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  Id id() const { return id_; }
  uint64_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<DeviceState> state_;
  Id id_;
  uint64_t bytes_;
  MemoryKind kind_;
};

/// Bytes on their way back from the GPU.
class Readback {
 public:
  Readback() = default;
  Readback(std::shared_ptr<DeviceState> state, Id buffer, uint64_t bytes)
      : state_(std::move(state)), buffer_(buffer), bytes_(bytes) {}
  Readback(Readback&&) noexcept = default;
  Readback& operator=(Readback&& other) noexcept;
  /// Without take(), the bytes are given up: a step whose token nobody wants.
  ~Readback();

  bool pending() const { return state_ != nullptr; }
  bool ready() const;
  Id buffer() const { return buffer_; }
  /// The bytes, once ready; or what went wrong on the device up to this point.
  Result<std::vector<std::byte>> take();

 private:
  std::shared_ptr<DeviceState> state_;
  Id buffer_ = 0;
  uint64_t bytes_ = 0;
};

class Device {
 public:
  explicit Device(std::unique_ptr<Backend> backend);

  const AdapterInfo& adapter() const;
  Backend& backend();
  const MemoryUse& memory() const;

  /// New memory of unspecified content. Refused if it exceeds what the adapter can bind.
  Result<Tensor> create_tensor(std::string name, DType dtype, Shape shape, MemoryKind kind);
  /// The same for a quantised type, whose planes take `bytes`.
  Result<Tensor> create_packed(std::string name, DType dtype, Shape shape, uint64_t bytes,
                               MemoryKind kind);
  /// A tensor in the host's memory that holds `bytes`; it can only be copied from.
  Tensor create_host_tensor(std::string name, DType dtype, Shape shape,
                            std::span<const std::byte> bytes);
  /// `bytes` go to the start of the tensor, or to `offset` bytes into it; a multiple of 4.
  void write(const Tensor& tensor, std::span<const std::byte> bytes, uint64_t offset = 0);

  /// What ops may choose variants by: the adapter's features, or fewer.
  const Features& features() const;
  void restrict_features(const Features& features);

  /// The pipeline for a kernel under these constants, compiled on first use.
  Id pipeline(const Kernel& kernel, std::span<const Constant> constants);

  void submit(const Recording& recording);
  /// Submits the list, `times` times over, and brings back `result` as it is afterwards, all in one
  /// submit.
  Readback submit_and_read(const Recording& recording, const Tensor& result, uint32_t times = 1);
  /// Brings back a tensor as it is after all submits so far.
  Readback read(const Tensor& tensor);
  /// A Readback of nothing: its take() says whether all that was created or submitted was accepted.
  Readback settle();

  /// Submits with every command in a pass of its own and brings back a GpuSpan for each. Passes
  /// overlap where the driver lets them: a command may begin before the one before it has ended.
  Result<Readback> profile(const Recording& recording);
  /// From now on brings back a GpuSpan for each submit, of the next kMostStamps / 2 at most. What
  /// lies between two spans the GPU has spent idle.
  Result<void> start_trace();
  Readback end_trace();

 private:
  friend class Encoder;
  Result<Tensor> allocate(Tensor tensor, MemoryKind kind);
  Result<void> check_timestamps() const;
  /// Brings back the spans in these buffers, one filled after the other, which are given up.
  Readback read_stamps(std::span<const Id> stamps, uint32_t n_spans);
  Readback start_read(std::string_view label, std::vector<Command> commands, const Tensor& tensor);

  std::shared_ptr<DeviceState> state_;
};

}  // namespace handloom::gpu
