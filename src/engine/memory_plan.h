// What a model takes on a GPU, worked out before anything is allocated: how long a context fits,
// and what `--dry-run` prints.
#pragma once

#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/config.h"
#include "kv_cache/kv_cache.h"
#include "model/upload.h"

#include <handloom/handloom.h>

namespace handloom::engine {

/// Everything that the answer depends on.
struct MemoryQuestion {
  const formats::Config& config;
  kv_cache::KvShape kv_shape;
  uint64_t weight_bytes = 0;  // on the GPU
  Limits limits;
  uint64_t budget = 0;  // of LoadOptions; 0: the adapter's
  bool spills = false;
  bool fused = true;  // the plan of decode steps
};

/// Bytes of the weights once they are on the GPU: norms and biases become f32, plain matrices what
/// `storage` says.
uint64_t weight_bytes(const formats::Checkpoint& checkpoint, model::WeightStorage storage);

/// Rows of a forward pass whose widest activation an adapter can still bind.
uint32_t prefill_tokens(const formats::Config& config, uint32_t context, const Limits& limits);

/// Bytes of a session's StepBuffers.
uint64_t step_bytes(const formats::Config& config, uint32_t max_tokens, uint32_t context);

/// What all may take together; 0: nobody knows.
uint64_t budget_of(const MemoryQuestion& q);

/// With a session whose context is full. What a cache would spill is counted as on the host.
MemoryUse memory_needed(const MemoryQuestion& q, uint32_t context);

/// The longest context, up to the model's own, that fits; 0: not even a page.
uint32_t fitting_context(const MemoryQuestion& q);

/// `wanted` if it fits, or the longest that does if that is 0. Errors: invalid_argument beyond what
/// the model was made for; out_of_memory with what would fit.
Result<uint32_t> choose_context(const MemoryQuestion& q, uint32_t wanted);

/// Slabs and budget of a session's cache, `kv_bytes` being left for all caches; 0: no limit.
kv_cache::KvOptions kv_options(const MemoryQuestion& q, uint32_t context, uint64_t kv_bytes,
                               uint32_t slab);

}  // namespace handloom::engine
