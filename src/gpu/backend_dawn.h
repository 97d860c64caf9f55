// The Backend over Dawn. Errors come in through callbacks on this thread, whenever Dawn is called.
#pragma once

#include "gpu/backend.h"
#include "gpu/dawn_adapters.h"

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace handloom::gpu {

class DawnBackend final : public Backend {
 public:
  static Result<std::unique_ptr<DawnBackend>> open(std::string_view choice);
  ~DawnBackend() override;

  const AdapterInfo& adapter() const override { return info_; }
  Id create_buffer(std::string_view label, uint64_t bytes, BufferUse use) override;
  Id create_host_buffer(std::string_view label, std::span<const std::byte> bytes) override;
  void destroy_buffer(Id buffer) override;
  void write_buffer(Id buffer, uint64_t offset, std::span<const std::byte> bytes) override;
  Id create_pipeline(std::string_view label, const Kernel& kernel,
                     std::span<const Constant> constants) override;
  Id create_bind_group(std::string_view label, Id pipeline,
                       std::span<const BufferRange> bindings) override;
  void destroy_bind_group(Id bind_group) override;
  void submit(std::string_view label, std::span<const Command> commands,
              const Stamping& stamping) override;
  void start_map(Id buffer, uint64_t bytes) override;
  bool is_mapped(Id buffer) override;
  void finish_map(Id buffer, std::span<std::byte> out) override;
  std::optional<Error> take_error() override;
  void lose_device() override;

  /// Native only: blocks until a started map is over, one way or the other.
  void wait_for_map(Id buffer);

 private:
  struct Pipeline {
    wgpu::ComputePipeline pipeline;
    wgpu::BindGroupLayout layout;
  };
  /// Queries cannot be copied from: a copy resolves them here first.
  struct Stamps {
    wgpu::QuerySet queries;
    wgpu::Buffer resolved;
  };
  struct Mapping {
    wgpu::Future future;
    bool done = false;
    bool succeeded = false;
  };

  DawnBackend() = default;
  Result<void> open_device(const wgpu::Adapter& adapter);
  void keep_error(ErrorCode code, std::string message);
  void push_scopes() const;
  void pop_scopes(std::string where);
  wgpu::ShaderModule compile(const Kernel& kernel);
  /// The two ways to a buffer in the host's memory, as next_id_; false without memory. The first is
  /// sure of the place.
  bool create_from_own_memory(wgpu::BufferDescriptor descriptor, std::span<const std::byte> bytes);
  bool create_mapped(wgpu::BufferDescriptor descriptor, std::span<const std::byte> bytes);
  wgpu::QuerySet create_queries(std::string_view label, uint64_t bytes) const;
  void encode_copy(const wgpu::CommandEncoder& encoder, const Command& copy);
  void encode_dispatches(const wgpu::CommandEncoder& encoder,
                         const wgpu::ComputePassDescriptor& descriptor,
                         std::span<const Command> dispatches);
  void poll_map(Id buffer, uint64_t timeout_ns);

  std::string remarks_;                               // of Dawn and the drivers, for errors
  std::unique_ptr<dawn::native::Instance> instance_;  // before all it makes, after all it makes
  AdapterInfo info_;
  wgpu::Device device_;
  wgpu::Queue queue_;
  Id next_id_ = 1;
  std::unordered_map<Id, wgpu::Buffer> buffers_;
  std::unordered_map<Id, Stamps> stamps_;
  std::unordered_map<Id, Pipeline> pipelines_;
  std::unordered_map<Id, wgpu::BindGroup> bind_groups_;
  std::unordered_map<Id, std::shared_ptr<Mapping>> mappings_;  // shared with the callback
  std::optional<Error> error_;
  bool lost_ = false;
};

}  // namespace handloom::gpu
