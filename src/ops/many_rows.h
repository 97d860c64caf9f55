// How kernels for many rows share their work, which depends on what a barrier costs.
#pragma once

#include "gpu/encoder.h"

#include <cstdint>

namespace handloom::ops {

enum class ManyRows : uint8_t {
  workgroups,  // through workgroup memory: matmul_tile, attention_prefill
  lanes,       // each lane by itself: matmul_lanes, attention_lanes
};

/// Lanes on a software adapter: there a barrier comes back to every vector of a workgroup, and a
/// browser's zeroing of workgroup memory is compiled word by word.
ManyRows many_rows_on(const gpu::Encoder& enc);

/// The size of a workgroup whose lanes work by themselves: one vector.
uint32_t lanes_workgroup(const gpu::Encoder& enc);

}  // namespace handloom::ops
