// How the lanes of a kernel share its work, which depends on what a barrier costs.
#pragma once

#include "gpu/encoder.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace handloom::ops {

enum class Sharing : uint8_t {
  workgroups,  // through workgroup memory: matmul_tile and matmul_wide, attention_prefill,
               // attention_split
  lanes,       // each lane by itself: matmul_lanes, attention_lanes, attention_split_lanes; or no
               // more than a vector of them: attention_head, rms_norm, prepare_input, sample_token
};

/// Lanes on a software adapter: there a barrier comes back to every vector of a workgroup, and a
/// browser's zeroing of workgroup memory is compiled word by word.
Sharing sharing_on(const gpu::Encoder& enc);

/// The size of a workgroup whose lanes work by themselves: one vector.
uint32_t lanes_workgroup(const gpu::Encoder& enc);

/// The constant of a kernel that is one workgroup's work: for lanes by themselves one vector does
/// it, otherwise the kernel's own workgroup_size holds.   sharing: sharing_on() if none
std::vector<gpu::Constant> one_vector(const gpu::Encoder& enc, std::optional<Sharing> sharing);

}  // namespace handloom::ops
