#include "ops/many_rows.h"

namespace handloom::ops {

ManyRows many_rows_on(const gpu::Encoder& enc) {
  return enc.device().adapter().kind == AdapterKind::software ? ManyRows::lanes
                                                              : ManyRows::workgroups;
}

uint32_t lanes_workgroup(const gpu::Encoder& enc) {
  constexpr uint32_t kUnknown = 8;
  const uint32_t n_lanes = enc.device().adapter().features.max_subgroup_size;
  return n_lanes > 0 ? n_lanes : kUnknown;
}

}  // namespace handloom::ops
