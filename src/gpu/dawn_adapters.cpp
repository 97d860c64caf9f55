#include "gpu/dawn_adapters.h"

#include <algorithm>
#include <cstdlib>
#include <unistd.h>

namespace handloom::gpu {
namespace {

std::string text(wgpu::StringView view) { return std::string(std::string_view(view)); }

std::string_view backend_name(wgpu::BackendType type) {
  switch (type) {
    case wgpu::BackendType::Vulkan: return "Vulkan";
    case wgpu::BackendType::Metal: return "Metal";
    case wgpu::BackendType::D3D12: return "D3D12";
    default: return "";
  }
}

AdapterKind adapter_kind(wgpu::AdapterType type) {
  switch (type) {
    case wgpu::AdapterType::DiscreteGPU: return AdapterKind::discrete;
    case wgpu::AdapterType::IntegratedGPU: return AdapterKind::integrated;
    case wgpu::AdapterType::CPU: return AdapterKind::software;
    default: return AdapterKind::unknown;
  }
}

/// Best first. A virtual GPU reports `unknown` and is still faster than software.
int rank(AdapterKind kind) {
  switch (kind) {
    case AdapterKind::discrete: return 0;
    case AdapterKind::integrated: return 1;
    case AdapterKind::unknown: return 2;
    case AdapterKind::software: return 3;
  }
  return 3;
}

Limits read_limits(const wgpu::Adapter& adapter) {
  wgpu::Limits limits;
  adapter.GetLimits(&limits);
  return {.max_binding_bytes = limits.maxStorageBufferBindingSize,
          .max_buffer_bytes = limits.maxBufferSize,
          .max_bindings = limits.maxStorageBuffersPerShaderStage,
          .max_invocations = limits.maxComputeInvocationsPerWorkgroup,
          .max_workgroup_bytes = limits.maxComputeWorkgroupStorageSize,
          .max_workgroups = limits.maxComputeWorkgroupsPerDimension};
}

uint64_t read_memory_bytes(const wgpu::Adapter& adapter) {
  if (!adapter.HasFeature(wgpu::FeatureName::AdapterPropertiesMemoryHeaps)) return 0;
  wgpu::AdapterPropertiesMemoryHeaps heaps;
  wgpu::AdapterInfo info;
  info.nextInChain = &heaps;
  adapter.GetInfo(&info);
  uint64_t most = 0;
  for (size_t i = 0; i < heaps.heapCount; ++i) {
    const wgpu::MemoryHeapInfo& heap = heaps.heapInfo[i];
    if ((heap.properties & wgpu::HeapProperty::DeviceLocal) != wgpu::HeapProperty{}) {
      most = std::max(most, heap.size);
    }
  }
  return most;
}

AdapterInfo read_info(const wgpu::Adapter& adapter) {
  wgpu::AdapterInfo info;
  adapter.GetInfo(&info);
  AdapterInfo out{.name = text(info.device),
                  .vendor = text(info.vendor),
                  .architecture = text(info.architecture),
                  .driver = text(info.description),
                  .backend = std::string(backend_name(info.backendType)),
                  .kind = adapter_kind(info.adapterType),
                  .limits = read_limits(adapter)};
  out.limits.memory_bytes = read_memory_bytes(adapter);
  out.features.f16 = adapter.HasFeature(wgpu::FeatureName::ShaderF16);
  out.features.subgroups = adapter.HasFeature(wgpu::FeatureName::Subgroups);
  if (out.features.subgroups) {
    out.features.min_subgroup_size = info.subgroupMinSize;
    out.features.max_subgroup_size = info.subgroupMaxSize;
  }
  out.features.timestamps = adapter.HasFeature(wgpu::FeatureName::TimestampQuery);
  out.features.subgroup_matrix =
      adapter.HasFeature(wgpu::FeatureName::ChromiumExperimentalSubgroupMatrix);
  return out;
}

/// Makes the software adapter of ./setup visible beside the system's drivers.
void offer_software_adapter() {
#ifdef HANDLOOM_SOFTWARE_ICD
  if (::access(HANDLOOM_SOFTWARE_ICD, R_OK) == 0) {
    ::setenv("VK_ADD_DRIVER_FILES", HANDLOOM_SOFTWARE_ICD, 0);
  }
#endif
  ::setenv("XDG_RUNTIME_DIR", "/tmp", 0);  // Mesa complains without one
}

}  // namespace

Result<std::unique_ptr<dawn::native::Instance>> create_dawn_instance(std::string& remarks) {
  offer_software_adapter();
  // By default Dawn writes to stderr. A machine without a GPU would greet every run with warnings.
  dawn::native::DawnInstanceDescriptor native;
  native.SetLoggingCallback(
      [](wgpu::LoggingType, wgpu::StringView message, std::string* to) {
        if (to->size() < 4096) *to += std::string(std::string_view(message)) + "\n";
      },
      &remarks);
  static constexpr const char* kEnabled[] = {"allow_unsafe_apis"};
  wgpu::DawnTogglesDescriptor toggles;
  toggles.enabledToggleCount = std::size(kEnabled);
  toggles.enabledToggles = kEnabled;
  toggles.nextInChain = &native;
  static constexpr wgpu::InstanceFeatureName kFeatures[] = {
      wgpu::InstanceFeatureName::TimedWaitAny};
  wgpu::InstanceDescriptor descriptor;
  descriptor.nextInChain = &toggles;
  descriptor.requiredFeatureCount = std::size(kFeatures);
  descriptor.requiredFeatures = kFeatures;
  auto instance = std::make_unique<dawn::native::Instance>(&descriptor);
  if (instance->Get() == nullptr) {
    return fail(ErrorCode::gpu,
                "device: Dawn refuses to start with timed waits; run ./setup again");
  }
  return instance;
}

std::vector<DawnAdapter> enumerate_dawn_adapters(const dawn::native::Instance& instance) {
  // Without the second toggle Dawn hides shader-f16 on NVIDIA's Vulkan driver.
  static constexpr const char* kEnabled[] = {"allow_unsafe_apis", "vulkan_enable_f16_on_nvidia"};
  wgpu::DawnTogglesDescriptor toggles;
  toggles.enabledToggleCount = std::size(kEnabled);
  toggles.enabledToggles = kEnabled;
  wgpu::RequestAdapterOptions options;
  options.nextInChain = &toggles;
  options.powerPreference = wgpu::PowerPreference::HighPerformance;

  std::vector<DawnAdapter> found;
  for (const dawn::native::Adapter& native : instance.EnumerateAdapters(&options)) {
    wgpu::Adapter adapter(native.Get());
    AdapterInfo info = read_info(adapter);
    if (info.backend.empty()) continue;  // Null runs nothing, OpenGL lacks what the kernels need
    found.push_back({std::move(adapter), std::move(info)});
  }
  std::stable_sort(found.begin(), found.end(), [](const DawnAdapter& a, const DawnAdapter& b) {
    return rank(a.info.kind) < rank(b.info.kind);
  });
  for (uint32_t i = 0; i < found.size(); ++i) found[i].info.index = i;
  return found;
}

}  // namespace handloom::gpu
