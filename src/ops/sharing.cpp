#include "ops/sharing.h"

#include "ops/check.h"

namespace handloom::ops {

Sharing sharing_on(const gpu::Encoder& enc) {
  return is_software(enc) ? Sharing::lanes : Sharing::workgroups;
}

uint32_t lanes_workgroup(const gpu::Encoder& enc) {
  constexpr uint32_t kUnknown = 8;
  const uint32_t n_lanes = enc.device().adapter().features.max_subgroup_size;
  return n_lanes > 0 ? n_lanes : kUnknown;
}

}  // namespace handloom::ops
