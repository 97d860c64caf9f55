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

 private:
  friend class Encoder;
  Result<Tensor> allocate(Tensor tensor, MemoryKind kind);
  Readback start_read(std::string_view label, std::vector<Command> commands, const Tensor& tensor);

  std::shared_ptr<DeviceState> state_;
};

}  // namespace handloom::gpu
