#include "gpu/backend_dawn.h"

#include "gpu/native.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace handloom::gpu {
namespace {

wgpu::StringView view(std::string_view s) { return {s.data(), s.size()}; }

std::string_view first_line(std::string_view message) {
  return message.substr(0, message.find('\n'));
}

/// Dawn's message with its context, " - While ..." line by line, in one line; Dawn's own source
/// positions, "    at ...", are left out.
std::string one_line(std::string_view message) {
  std::string out(first_line(message));
  for (size_t at; (at = message.find('\n')) != std::string_view::npos;) {
    message.remove_prefix(at + 1);
    const std::string_view line = first_line(message);
    if (line.starts_with(" - ")) out += fmt::format("; {}", line.substr(3));
  }
  return out;
}

std::string lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string list_names(const std::vector<DawnAdapter>& adapters) {
  std::string names;
  for (const DawnAdapter& a : adapters) {
    names += fmt::format("{}{}: {}", names.empty() ? "" : ", ", a.info.index, a.info.name);
  }
  return names;
}

/// One sentence, with the first thing that the Vulkan loader had to remark.
std::unexpected<Error> no_adapter(std::string_view remarks) {
  const std::string_view first = remarks.substr(0, remarks.find('\n'));
  return fail(ErrorCode::gpu,
              "device: no adapter found{}{}, expected a Vulkan, Metal or D3D12 driver; ./setup "
              "installs a software one",
              first.empty() ? "" : ": ", first);
}

Result<DawnAdapter> choose(const std::vector<DawnAdapter>& adapters, std::string_view choice) {
  if (choice.empty()) return adapters.front();
  uint32_t index = 0;
  const auto [end, error] = std::from_chars(choice.data(), choice.data() + choice.size(), index);
  const bool is_index = error == std::errc() && end == choice.data() + choice.size();
  for (const DawnAdapter& a : adapters) {
    if (is_index ? a.info.index == index : lower(a.info.name).contains(lower(choice))) return a;
  }
  return fail(ErrorCode::not_found, "device: adapter '{}' is not here, expected one of {}", choice,
              list_names(adapters));
}

wgpu::BufferBindingType binding_type(Access access) {
  switch (access) {
    case Access::uniform: return wgpu::BufferBindingType::Uniform;
    case Access::read: return wgpu::BufferBindingType::ReadOnlyStorage;
    case Access::write:
    case Access::read_write: return wgpu::BufferBindingType::Storage;
  }
  return wgpu::BufferBindingType::Storage;
}

}  // namespace

Result<std::unique_ptr<DawnBackend>> DawnBackend::open(std::string_view choice) {
  std::unique_ptr<DawnBackend> backend(new DawnBackend());
  TRY(backend->instance_, create_dawn_instance(backend->remarks_));
  const std::vector<DawnAdapter> adapters = enumerate_dawn_adapters(*backend->instance_);
  if (adapters.empty()) return no_adapter(backend->remarks_);
  TRY(const DawnAdapter chosen, choose(adapters, choice));
  backend->info_ = chosen.info;
  CHECK_OK(backend->open_device(chosen.adapter));
  return backend;
}

Result<void> DawnBackend::open_device(const wgpu::Adapter& adapter) {
  static constexpr const char* kEnabled[] = {"disable_robustness", "disable_workgroup_init"};
  static constexpr const char* kDisabled[] = {"timestamp_quantization",
                                              "lazy_clear_resource_on_first_use"};
  wgpu::DawnTogglesDescriptor toggles;
  toggles.enabledToggleCount = std::size(kEnabled);
  toggles.enabledToggles = kEnabled;
  toggles.disabledToggleCount = std::size(kDisabled);
  toggles.disabledToggles = kDisabled;

  std::vector<wgpu::FeatureName> features;
  if (info_.features.f16) features.push_back(wgpu::FeatureName::ShaderF16);
  if (info_.features.subgroups) features.push_back(wgpu::FeatureName::Subgroups);
  if (info_.features.timestamps) features.push_back(wgpu::FeatureName::TimestampQuery);
  if (info_.features.subgroup_matrix) {
    features.push_back(wgpu::FeatureName::ChromiumExperimentalSubgroupMatrix);
  }
  if (adapter.HasFeature(wgpu::FeatureName::HostMappedPointer)) {
    features.push_back(wgpu::FeatureName::HostMappedPointer);
  }
  wgpu::Limits limits;  // everything the adapter has
  adapter.GetLimits(&limits);
  limits.nextInChain = nullptr;

  wgpu::DeviceDescriptor descriptor;
  descriptor.nextInChain = &toggles;
  descriptor.label = "handloom";
  descriptor.requiredFeatureCount = features.size();
  descriptor.requiredFeatures = features.data();
  descriptor.requiredLimits = &limits;
  descriptor.SetUncapturedErrorCallback(
      [](const wgpu::Device&, wgpu::ErrorType type, wgpu::StringView message, DawnBackend* self) {
        self->keep_error(
            type == wgpu::ErrorType::OutOfMemory ? ErrorCode::out_of_memory : ErrorCode::gpu,
            fmt::format("device: {}", one_line(message)));
      },
      this);
  descriptor.SetDeviceLostCallback(
      wgpu::CallbackMode::AllowSpontaneous,
      [](const wgpu::Device&, wgpu::DeviceLostReason reason, wgpu::StringView message,
         DawnBackend* self) {
        if (reason == wgpu::DeviceLostReason::Destroyed) return;  // our own destructor
        self->lost_ = true;
        self->error_ =
            Error{ErrorCode::device_lost, fmt::format("device: adapter '{}' was lost: {}",
                                                      self->info_.name, first_line(message))};
      },
      this);
  device_ = adapter.CreateDevice(&descriptor);
  if (!device_) {
    return fail(ErrorCode::gpu, "device: adapter '{}' refuses a device{}{}", info_.name,
                error_ ? ": " : "", error_ ? error_->message : "");
  }
  queue_ = device_.GetQueue();
  for (const char* toggle : dawn::native::GetTogglesUsed(device_.Get())) {
    info_.toggles.emplace_back(toggle);
  }
  return {};
}

DawnBackend::~DawnBackend() {
  // Children before their device, the device before the instance: Dawn asks for it.
  bind_groups_.clear();
  pipelines_.clear();
  stamps_.clear();
  buffers_.clear();
  queue_ = nullptr;
  device_ = nullptr;
}

void DawnBackend::keep_error(ErrorCode code, std::string message) {
  if (!error_ && !lost_) error_ = Error{code, std::move(message)};
}

void DawnBackend::push_scopes() const {
  device_.PushErrorScope(wgpu::ErrorFilter::OutOfMemory);
  device_.PushErrorScope(wgpu::ErrorFilter::Validation);
}

void DawnBackend::pop_scopes(std::string where) {
  for (const ErrorCode code : {ErrorCode::gpu, ErrorCode::out_of_memory}) {
    device_.PopErrorScope(wgpu::CallbackMode::AllowSpontaneous,
                          [this, code, where](wgpu::PopErrorScopeStatus, wgpu::ErrorType type,
                                              wgpu::StringView message) {
                            if (type == wgpu::ErrorType::NoError) return;
                            keep_error(code, fmt::format("{}: {}", where, one_line(message)));
                          });
  }
}

Id DawnBackend::create_buffer(std::string_view label, uint64_t bytes, BufferUse use) {
  wgpu::BufferDescriptor descriptor;
  descriptor.label = view(label);
  descriptor.size = bytes;
  switch (use) {
    case BufferUse::storage:
      descriptor.usage =
          wgpu::BufferUsage::Storage | wgpu::BufferUsage::CopySrc | wgpu::BufferUsage::CopyDst;
      break;
    case BufferUse::uniform:
      descriptor.usage = wgpu::BufferUsage::Uniform | wgpu::BufferUsage::CopyDst;
      break;
    case BufferUse::readback:
      descriptor.usage = wgpu::BufferUsage::MapRead | wgpu::BufferUsage::CopyDst;
      break;
    case BufferUse::stamps:
      descriptor.usage = wgpu::BufferUsage::QueryResolve | wgpu::BufferUsage::CopySrc;
      break;
  }
  push_scopes();
  const wgpu::Buffer buffer = device_.CreateBuffer(&descriptor);
  if (use == BufferUse::stamps) {
    stamps_[next_id_] = {.queries = create_queries(label, bytes), .resolved = buffer};
  } else {
    buffers_[next_id_] = buffer;
  }
  pop_scopes(fmt::format("device: buffer '{}' of {} bytes", label, bytes));
  return next_id_++;
}

wgpu::QuerySet DawnBackend::create_queries(std::string_view label, uint64_t bytes) const {
  wgpu::QuerySetDescriptor descriptor;
  descriptor.label = view(label);
  descriptor.type = wgpu::QueryType::Timestamp;
  descriptor.count = static_cast<uint32_t>(bytes / sizeof(uint64_t));
  return device_.CreateQuerySet(&descriptor);
}

Id DawnBackend::create_host_buffer(std::string_view label, std::span<const std::byte> bytes) {
  wgpu::BufferDescriptor descriptor;
  descriptor.label = view(label);
  descriptor.usage = wgpu::BufferUsage::CopySrc;
  push_scopes();
  const bool succeeded = device_.HasFeature(wgpu::FeatureName::HostMappedPointer)
                             ? create_from_own_memory(descriptor, bytes)
                             : create_mapped(descriptor, bytes);
  pop_scopes(fmt::format("device: host buffer '{}' of {} bytes", label, bytes.size()));
  if (!succeeded) {
    keep_error(
        ErrorCode::out_of_memory,
        fmt::format("device: host buffer '{}' of {} bytes cannot be had", label, bytes.size()));
  }
  return next_id_++;
}

bool DawnBackend::create_from_own_memory(wgpu::BufferDescriptor descriptor,
                                         std::span<const std::byte> bytes) {
  constexpr size_t kPage = size_t{64} << 10;  // the coarsest that a system asks for
  const size_t size = (bytes.size() + kPage - 1) / kPage * kPage;
  void* memory = std::aligned_alloc(kPage, size);
  if (memory == nullptr) return false;
  std::memcpy(memory, bytes.data(), bytes.size());
  wgpu::BufferHostMappedPointer own;
  own.pointer = memory;
  own.disposeCallback = [](void* pointer) { std::free(pointer); };
  own.userdata = memory;
  descriptor.size = size;
  descriptor.nextInChain = &own;
  buffers_[next_id_] = device_.CreateBuffer(&descriptor);
  return true;
}

bool DawnBackend::create_mapped(wgpu::BufferDescriptor descriptor,
                                std::span<const std::byte> bytes) {
  // Where this lies is the driver's choice: in the larger of the memories that the host can write.
  descriptor.usage |= wgpu::BufferUsage::MapWrite;
  descriptor.size = bytes.size();
  descriptor.mappedAtCreation = true;
  const wgpu::Buffer buffer = device_.CreateBuffer(&descriptor);
  void* mapped = buffer ? buffer.GetMappedRange() : nullptr;
  if (mapped != nullptr) {
    std::memcpy(mapped, bytes.data(), bytes.size());
    buffer.Unmap();
  }
  buffers_[next_id_] = buffer;
  return mapped != nullptr;
}

void DawnBackend::destroy_buffer(Id buffer) {
  buffers_.erase(buffer);
  stamps_.erase(buffer);
  mappings_.erase(buffer);
}

void DawnBackend::write_buffer(Id buffer, uint64_t offset, std::span<const std::byte> bytes) {
  queue_.WriteBuffer(buffers_[buffer], offset, bytes.data(), bytes.size());
}

wgpu::ShaderModule DawnBackend::compile(const Kernel& kernel) {
  const std::string text = flatten(kernel);
  wgpu::ShaderSourceWGSL source;
  source.code = view(text);
  wgpu::ShaderModuleDescriptor descriptor;
  descriptor.nextInChain = &source;
  descriptor.label = view(kernel.name);
  const wgpu::ShaderModule module = device_.CreateShaderModule(&descriptor);
  module.GetCompilationInfo(
      wgpu::CallbackMode::AllowSpontaneous,
      [this, &kernel](wgpu::CompilationInfoRequestStatus, const wgpu::CompilationInfo* info) {
        for (size_t i = 0; info != nullptr && i < info->messageCount; ++i) {
          const wgpu::CompilationMessage& m = info->messages[i];
          if (m.type != wgpu::CompilationMessageType::Error) continue;
          keep_error(ErrorCode::gpu, fmt::format("{}: {}", locate(kernel, m.lineNum, m.linePos),
                                                 std::string_view(m.message)));
        }
      });
  return module;
}

Id DawnBackend::create_pipeline(std::string_view label, const Kernel& kernel,
                                std::span<const Constant> constants) {
  push_scopes();
  const wgpu::ShaderModule module = compile(kernel);

  Pipeline made;
  std::vector<wgpu::BindGroupLayoutEntry> entries(kernel.bindings.size());
  for (uint32_t i = 0; i < entries.size(); ++i) {
    entries[i].binding = i;
    entries[i].visibility = wgpu::ShaderStage::Compute;
    entries[i].buffer.type = binding_type(kernel.bindings[i].access);
  }
  wgpu::BindGroupLayoutDescriptor layout;
  layout.label = view(label);
  layout.entryCount = entries.size();
  layout.entries = entries.data();
  made.layout = device_.CreateBindGroupLayout(&layout);
  wgpu::PipelineLayoutDescriptor pipeline_layout;
  pipeline_layout.label = view(label);
  pipeline_layout.bindGroupLayoutCount = 1;
  pipeline_layout.bindGroupLayouts = &made.layout;

  std::vector<wgpu::ConstantEntry> overrides(constants.size());
  for (size_t i = 0; i < constants.size(); ++i) {
    overrides[i].key = view(constants[i].name);
    overrides[i].value = constants[i].value;
  }
  wgpu::ComputePipelineDescriptor descriptor;
  descriptor.label = view(label);
  descriptor.layout = device_.CreatePipelineLayout(&pipeline_layout);
  descriptor.compute.module = module;
  descriptor.compute.entryPoint = view(kernel.entry_point);
  descriptor.compute.constantCount = overrides.size();
  descriptor.compute.constants = overrides.data();
  made.pipeline = device_.CreateComputePipeline(&descriptor);
  pop_scopes(fmt::format("kernel '{}'", label));

  pipelines_[next_id_] = std::move(made);
  return next_id_++;
}

Id DawnBackend::create_bind_group(std::string_view label, Id pipeline,
                                  std::span<const BufferRange> bindings) {
  std::vector<wgpu::BindGroupEntry> entries(bindings.size());
  for (uint32_t i = 0; i < entries.size(); ++i) {
    entries[i].binding = i;
    entries[i].buffer = buffers_[bindings[i].buffer];
    entries[i].offset = bindings[i].offset;
    entries[i].size = bindings[i].bytes;
  }
  wgpu::BindGroupDescriptor descriptor;
  descriptor.label = view(label);
  descriptor.layout = pipelines_[pipeline].layout;
  descriptor.entryCount = entries.size();
  descriptor.entries = entries.data();
  push_scopes();
  bind_groups_[next_id_] = device_.CreateBindGroup(&descriptor);
  pop_scopes(fmt::format("bind group of '{}'", label));
  return next_id_++;
}

void DawnBackend::destroy_bind_group(Id bind_group) { bind_groups_.erase(bind_group); }

void DawnBackend::encode_copy(const wgpu::CommandEncoder& encoder, const Command& copy) {
  if (const auto it = stamps_.find(copy.from.buffer); it != stamps_.end()) {
    const auto first = static_cast<uint32_t>(copy.from.offset / sizeof(uint64_t));
    const auto n = static_cast<uint32_t>(copy.from.bytes / sizeof(uint64_t));
    encoder.ResolveQuerySet(it->second.queries, first, n, it->second.resolved, 0);
    encoder.CopyBufferToBuffer(it->second.resolved, 0, buffers_[copy.to.buffer], copy.to.offset,
                               copy.from.bytes);
    return;
  }
  encoder.CopyBufferToBuffer(buffers_[copy.from.buffer], copy.from.offset, buffers_[copy.to.buffer],
                             copy.to.offset, copy.from.bytes);
}

void DawnBackend::encode_dispatches(const wgpu::CommandEncoder& encoder,
                                    const wgpu::ComputePassDescriptor& descriptor,
                                    std::span<const Command> dispatches) {
  const wgpu::ComputePassEncoder pass = encoder.BeginComputePass(&descriptor);
  Id bound_pipeline = 0;
  for (const Command& c : dispatches) {
    if (c.pipeline != bound_pipeline) pass.SetPipeline(pipelines_[c.pipeline].pipeline);
    bound_pipeline = c.pipeline;
    pass.SetBindGroup(0, bind_groups_[c.bind_group]);
    pass.DispatchWorkgroups(c.workgroups[0], c.workgroups[1], c.workgroups[2]);
  }
  pass.End();
}

void DawnBackend::submit(std::string_view label, std::span<const Command> commands,
                         const Stamping& stamping) {
  wgpu::CommandEncoderDescriptor descriptor;
  descriptor.label = view(label);
  const wgpu::CommandEncoder encoder = device_.CreateCommandEncoder(&descriptor);
  wgpu::ComputePassDescriptor pass;
  pass.label = view(label);

  // Only passes can be stamped, so what is none stands between two empty ones.
  uint32_t next_stamp = stamping.first;
  const auto stamp = [&](uint32_t wgpu::PassTimestampWrites::*moment) {
    wgpu::PassTimestampWrites writes = {.querySet = stamps_[stamping.stamps].queries};
    writes.*moment = next_stamp++;
    wgpu::ComputePassDescriptor empty = pass;
    empty.timestampWrites = &writes;
    encoder.BeginComputePass(&empty).End();
  };
  const auto stamp_begin = [&] { stamp(&wgpu::PassTimestampWrites::beginningOfPassWriteIndex); };
  const auto stamp_end = [&] { stamp(&wgpu::PassTimestampWrites::endOfPassWriteIndex); };

  const bool is_each = stamping.kind == Stamping::Kind::each;
  if (stamping.kind == Stamping::Kind::whole) stamp_begin();
  for (size_t begin = 0, end; begin < commands.size(); begin = end) {
    end = begin + 1;
    if (commands[begin].kind == Command::Kind::copy) {
      if (is_each) stamp_begin();
      encode_copy(encoder, commands[begin]);
      if (is_each) stamp_end();
      continue;
    }
    wgpu::PassTimestampWrites writes;
    if (is_each) {
      writes = {.querySet = stamps_[stamping.stamps].queries,
                .beginningOfPassWriteIndex = next_stamp,
                .endOfPassWriteIndex = next_stamp + 1};
      next_stamp += 2;
      pass.timestampWrites = &writes;
    } else {
      while (end < commands.size() && commands[end].kind == Command::Kind::dispatch) ++end;
    }
    encode_dispatches(encoder, pass, commands.subspan(begin, end - begin));
    pass.timestampWrites = nullptr;
  }
  if (stamping.kind == Stamping::Kind::whole) stamp_end();
  const wgpu::CommandBuffer buffer = encoder.Finish();
  queue_.Submit(1, &buffer);
}

void DawnBackend::start_map(Id buffer, uint64_t bytes) {
  // The callback comes in any case, perhaps after the buffer is destroyed and this backend gone.
  const auto mapping = std::make_shared<Mapping>();
  mappings_[buffer] = mapping;
  mapping->future =
      buffers_[buffer].MapAsync(wgpu::MapMode::Read, 0, bytes, wgpu::CallbackMode::WaitAnyOnly,
                                [mapping](wgpu::MapAsyncStatus status, wgpu::StringView) {
                                  mapping->done = true;
                                  mapping->succeeded = status == wgpu::MapAsyncStatus::Success;
                                });
}

void DawnBackend::poll_map(Id buffer, uint64_t timeout_ns) {
  const Mapping& mapping = *mappings_[buffer];
  if (mapping.done) return;
  wgpu::Instance(instance_->Get()).WaitAny(mapping.future, timeout_ns);
}

bool DawnBackend::is_mapped(Id buffer) {
  poll_map(buffer, 0);
  return mappings_[buffer]->done;
}

void DawnBackend::wait_for_map(Id buffer) {
  poll_map(buffer, std::numeric_limits<uint64_t>::max());
}

void DawnBackend::finish_map(Id buffer, std::span<std::byte> out) {
  const Mapping& mapping = *mappings_[buffer];
  if (!mapping.succeeded) {
    keep_error(ErrorCode::gpu, "device: a readback was refused");
    return;
  }
  const void* data = buffers_[buffer].GetConstMappedRange(0, out.size());
  std::memcpy(out.data(), data, out.size());
  buffers_[buffer].Unmap();
}

std::optional<Error> DawnBackend::take_error() {
  wgpu::Instance(instance_->Get()).ProcessEvents();
  return std::exchange(error_, std::nullopt);
}

void DawnBackend::lose_device() {
  device_.ForceLoss(wgpu::DeviceLostReason::Unknown, "unplugged by a test");
}

Result<std::vector<AdapterInfo>> list_adapters() {
  std::string remarks;
  TRY(const auto instance, create_dawn_instance(remarks));
  std::vector<AdapterInfo> infos;
  for (DawnAdapter& a : enumerate_dawn_adapters(*instance)) infos.push_back(std::move(a.info));
  if (infos.empty()) return no_adapter(remarks);
  return infos;
}

Result<Device> open_device(std::string_view choice) {
  TRY(std::unique_ptr<DawnBackend> backend, DawnBackend::open(choice));
  return Device(std::move(backend));
}

Result<std::vector<std::byte>> wait(Device& device, Readback readback) {
  if (!readback.ready()) {
    static_cast<DawnBackend&>(device.backend()).wait_for_map(readback.buffer());
  }
  return readback.take();
}

}  // namespace handloom::gpu
