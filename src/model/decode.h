// The fused plan: one decode step with several operations of a layer in one dispatch. What the
// plain plan, forward(), spells out operation by operation, this does in five dispatches a dense
// layer, seven where what is added has norms of its own (Gemma), and one more where attention reads
// many spans; on a software adapter in four for a small model.
#pragma once

#include "base/result.h"
#include "formats/config.h"
#include "gpu/device.h"
#include "ops/attention_split.h"
#include "ops/project_form.h"

#include <cstdint>

namespace handloom::model {

/// How decode steps are recorded.
struct DecodeOptions {
  bool fused = true;
  ops::ProjectForms forms;  // of its matrix products
};

/// What a fused step works on besides Activations. Empty if the plan is plain.
struct DecodeBuffers {
  gpu::Tensor model_input;  // u32   what the norms leave for qkv, gate_up and output
  gpu::Tensor attn_input;   // u32   what attention leaves for attn_output
  gpu::Tensor ffn_input;    // u32   what the gate leaves for ffn_down
  gpu::Tensor spans;        // f32   between the two halves of attention

  static Result<DecodeBuffers> create(gpu::Device& device, const formats::Config& config,
                                      uint32_t context);
  /// What create() takes, in bytes.
  static uint64_t bytes(const formats::Config& config, uint32_t context);
};

/// Whether the fused kernels take the model's dimensions, and an adapter the buffers of `context`
/// tokens.
bool can_fuse(const formats::Config& config, uint32_t context, const Limits& limits);

}  // namespace handloom::model
