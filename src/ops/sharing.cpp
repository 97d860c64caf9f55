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

std::vector<gpu::Constant> one_vector(const gpu::Encoder& enc, std::optional<Sharing> sharing) {
  if (sharing.value_or(sharing_on(enc)) == Sharing::workgroups) return {};
  return {{"workgroup_size", static_cast<double>(lanes_workgroup(enc))}};
}

}  // namespace handloom::ops
