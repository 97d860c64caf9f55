// What a GPU, or a software stand-in for one, is and can do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace handloom {

/// The optional abilities that some kernel variant uses.
struct Features {
  bool f16 = false;        // shader-f16: f16 arithmetic in kernels
  bool subgroups = false;  // subgroup operations, with sizes in [min, max]
  uint32_t min_subgroup_size = 0;
  uint32_t max_subgroup_size = 0;
  bool timestamps = false;       // timestamp-query: GPU time per dispatch
  bool subgroup_matrix = false;  // matrix units, native Dawn only
};

/// The limits that planning checks before anything is allocated. Sizes in bytes.
struct Limits {
  uint64_t max_binding_bytes = 0;  // maxStorageBufferBindingSize: one tensor as a kernel sees it
  uint64_t max_buffer_bytes = 0;
  uint32_t max_bindings = 0;     // storage buffers per kernel
  uint32_t max_invocations = 0;  // per workgroup
  uint32_t max_workgroup_bytes = 0;
  uint32_t max_workgroups = 0;  // per grid dimension
  uint64_t memory_bytes = 0;    // the largest device-local heap; 0 if the adapter does not tell
};

enum class AdapterKind { discrete, integrated, software, unknown };

struct AdapterInfo {
  uint32_t index = 0;  // position in list_adapters(); `--adapter` takes it
  std::string name;    // "NVIDIA H200"
  std::string vendor;
  std::string architecture;
  std::string driver;   // the driver's own description and version
  std::string backend;  // "Vulkan", "Metal", "D3D12"
  AdapterKind kind = AdapterKind::unknown;
  Features features;
  Limits limits;
  std::vector<std::string> toggles;  // Dawn's, that are on; known once the adapter is opened
};

}  // namespace handloom
