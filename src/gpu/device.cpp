#include "gpu/device.h"

#include "gpu/device_state.h"
#include "gpu/encoder.h"

namespace handloom::gpu {

uint64_t& DeviceState::used(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::weights: return memory.weights;
    case MemoryKind::kv_cache: return memory.kv_cache;
    case MemoryKind::activations: return memory.activations;
    case MemoryKind::other: return memory.other;
    case MemoryKind::kv_host: return memory.kv_host;
  }
  return memory.other;
}

Id DeviceState::borrow_readback(uint64_t bytes) {
  // One of twice the size at most: a token's would otherwise keep that of a whole layer, and the
  // next layer make another.
  if (const auto it = idle_readbacks.lower_bound(bytes);
      it != idle_readbacks.end() && it->first <= 2 * bytes) {
    const Id id = it->second;
    idle_readbacks.erase(it);
    return id;
  }
  const Id id = backend->create_buffer("readback", bytes, BufferUse::readback);
  readback_bytes[id] = bytes;
  memory.other += bytes;
  return id;
}

void DeviceState::return_readback(Id buffer) {
  constexpr uint64_t kKeepBytes = uint64_t{1} << 20;
  const uint64_t bytes = readback_bytes[buffer];
  if (bytes <= kKeepBytes) {
    idle_readbacks.emplace(bytes, buffer);
    return;
  }
  drop_readback(buffer);
}

void DeviceState::drop_readback(Id buffer) {
  backend->destroy_buffer(buffer);
  memory.other -= readback_bytes[buffer];
  readback_bytes.erase(buffer);
}

void DeviceState::submit(std::string_view label, std::span<const Command> commands) {
  const bool is_traced = trace && trace->first + 2 <= kMostStamps;
  backend->submit(label, commands, is_traced ? *trace : Stamping{});
  if (is_traced) trace->first += 2;
}

Buffer::Buffer(std::shared_ptr<DeviceState> state, Id id, uint64_t bytes, MemoryKind kind)
    : state_(std::move(state)), id_(id), bytes_(bytes), kind_(kind) {
  state_->used(kind_) += bytes_;
}

Buffer::~Buffer() {
  state_->used(kind_) -= bytes_;
  state_->backend->destroy_buffer(id_);
}

Tensor Tensor::first_rows(uint32_t n) const {
  std::vector<uint32_t> dims(shape.dims().begin(), shape.dims().end());
  dims.front() = n;
  Tensor cut = *this;
  cut.shape = Shape(std::span<const uint32_t>(dims));
  return cut;
}

Tensor Tensor::rows(uint32_t first, uint32_t n) const {
  Tensor cut = first_rows(n);
  cut.offset += first * first_rows(1).count() * dtype_bytes(dtype);
  return cut;
}

Readback& Readback::operator=(Readback&& other) noexcept {
  std::swap(state_, other.state_);
  std::swap(buffer_, other.buffer_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Readback::~Readback() {
  if (state_ && bytes_ > 0) state_->drop_readback(buffer_);
}

bool Readback::ready() const { return bytes_ == 0 || state_->backend->is_mapped(buffer_); }

Result<std::vector<std::byte>> Readback::take() {
  const std::shared_ptr<DeviceState> state = std::exchange(state_, nullptr);
  std::vector<std::byte> bytes(bytes_);
  if (bytes_ > 0) {
    state->backend->finish_map(buffer_, bytes);
    state->return_readback(buffer_);
  }
  if (auto error = state->backend->take_error(); error && !state->lost) {
    if (error->code != ErrorCode::device_lost) return std::unexpected(*error);
    state->lost = std::move(error);
  }
  if (state->lost) return std::unexpected(*state->lost);
  return bytes;
}

Device::Device(std::unique_ptr<Backend> backend)
    : state_(std::make_shared<DeviceState>(std::move(backend))) {}

const AdapterInfo& Device::adapter() const { return state_->backend->adapter(); }
Backend& Device::backend() { return *state_->backend; }
const Features& Device::features() const { return state_->features; }
void Device::restrict_features(const Features& features) { state_->features = features; }
const MemoryUse& Device::memory() const { return state_->memory; }

Result<Tensor> Device::create_tensor(std::string name, DType dtype, Shape shape, MemoryKind kind) {
  return allocate({.shape = shape, .dtype = dtype, .name = std::move(name)}, kind);
}

Result<Tensor> Device::create_packed(std::string name, DType dtype, Shape shape, uint64_t bytes,
                                     MemoryKind kind) {
  return allocate({.shape = shape, .dtype = dtype, .name = std::move(name), .packed_bytes = bytes},
                  kind);
}

Result<Tensor> Device::allocate(Tensor tensor, MemoryKind kind) {
  const Limits& limits = adapter().limits;
  const uint64_t bytes = std::max(tensor.bytes(), kLeastTensorBytes);
  if (const uint64_t most = std::min(limits.max_binding_bytes, limits.max_buffer_bytes);
      bytes > most) {
    return fail(ErrorCode::out_of_memory,
                "device: '{}' needs a storage binding of {} bytes, adapter '{}' allows {}",
                tensor.name, bytes, adapter().name, most);
  }
  const Id id = state_->backend->create_buffer(tensor.name, bytes, BufferUse::storage);
  tensor.buffer = std::make_shared<const Buffer>(state_, id, bytes, kind);
  return tensor;
}

Tensor Device::create_host_tensor(std::string name, DType dtype, Shape shape,
                                  std::span<const std::byte> bytes) {
  Tensor tensor = {.shape = shape, .dtype = dtype, .name = std::move(name)};
  const Id id = state_->backend->create_host_buffer(tensor.name, bytes);
  tensor.buffer = std::make_shared<const Buffer>(state_, id, bytes.size(), MemoryKind::kv_host);
  return tensor;
}

void Device::write(const Tensor& tensor, std::span<const std::byte> bytes, uint64_t offset) {
  state_->backend->write_buffer(tensor.buffer->id(), tensor.offset + offset, bytes);
}

Id Device::pipeline(const Kernel& kernel, std::span<const Constant> constants) {
  std::string key(kernel.name);
  for (const Constant& c : constants) key += fmt::format(" {}={}", c.name, c.value);
  const auto [it, is_new] = state_->pipelines.try_emplace(std::move(key), 0);
  if (is_new) it->second = state_->backend->create_pipeline(it->first, kernel, constants);
  return it->second;
}

void Device::submit(const Recording& recording) {
  state_->submit(recording.label(), recording.commands());
}

Readback Device::submit_and_read(const Recording& recording, const Tensor& result, uint32_t times) {
  const auto once = recording.commands();
  std::vector<Command> commands;
  commands.reserve(once.size() * times + 1);
  for (uint32_t i = 0; i < times; ++i) commands.insert(commands.end(), once.begin(), once.end());
  return start_read(recording.label(), std::move(commands), result);
}

Readback Device::read(const Tensor& tensor) { return start_read(tensor.name, {}, tensor); }

Readback Device::settle() { return Readback(state_, 0, 0); }

Readback Device::start_read(std::string_view label, std::vector<Command> commands,
                            const Tensor& tensor) {
  const uint64_t bytes = tensor.bytes();
  const Id staging = state_->borrow_readback(bytes);
  commands.push_back({.kind = Command::Kind::copy,
                      .from = {tensor.buffer->id(), tensor.offset, bytes},
                      .to = {staging, 0, bytes}});
  state_->submit(label, commands);
  state_->backend->start_map(staging, bytes);
  return Readback(state_, staging, bytes);
}

}  // namespace handloom::gpu
