#include "engine/memory_plan.h"

#include "model/model.h"
#include "ops/sample_token.h"

#include <algorithm>

namespace handloom::engine {
namespace {

constexpr uint32_t kMaxPrefillTokens = 2048;              // rows of one forward pass
constexpr uint64_t kReservedBytes = uint64_t{256} << 20;  // of an adapter, for everything else
constexpr uint32_t kLongestSpilledSlab = 2048;            // tokens
constexpr uint64_t kParamsBytes = 256;                    // of a dispatch
constexpr uint64_t kDispatchesPerLayer = 24;

uint64_t rope_bytes_per_token(const formats::Config& c) {
  const size_t n =
      c.rope.inv_freq(1).size() + (c.local_rope ? c.local_rope->inv_freq(1).size() : 0);
  return 2 * sizeof(float) * n;
}

/// Bound by one binding: the history, and the larger table of rotations.
uint64_t bindable_context(const MemoryQuestion& q) {
  const uint64_t widest = std::max<uint64_t>(rope_bytes_per_token(q.config), sizeof(uint32_t));
  const uint64_t most = std::min(q.limits.max_binding_bytes, q.limits.max_buffer_bytes);
  return most / widest;
}

uint32_t spilled_slab(const MemoryQuestion& q, uint64_t kv_bytes) {
  const uint64_t granules =
      kv_bytes / kv_cache::KvOptions::least_bytes(q.kv_shape, kv_cache::kGranule);
  const uint64_t bindable = std::min(q.limits.max_binding_bytes, q.limits.max_buffer_bytes) /
                            q.kv_shape.layer_bytes(kv_cache::kGranule);
  return static_cast<uint32_t>(std::clamp<uint64_t>(std::min(granules, bindable), 1,
                                                    kLongestSpilledSlab / kv_cache::kGranule)) *
         kv_cache::kGranule;
}

/// "13.6 MB"
std::string megabytes(uint64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) * 1e-6);
}

std::string parts(const MemoryUse& use) {
  return fmt::format("{}: weights {}, KV cache {}, activations {}, other {}",
                     megabytes(use.total()), megabytes(use.weights), megabytes(use.kv_cache),
                     megabytes(use.activations), megabytes(use.other));
}

bool fits(const MemoryQuestion& q, uint32_t context) {
  if (context > bindable_context(q)) return false;
  const uint64_t budget = budget_of(q);
  return budget == 0 || memory_needed(q, context).total() <= budget;
}

}  // namespace

uint64_t weight_bytes(const formats::Checkpoint& checkpoint, model::WeightStorage storage) {
  uint64_t bytes = 0;
  for (const formats::TensorInfo& t : checkpoint.tensors()) {
    if (t.shape.rank() < 2) {
      bytes += t.shape.count() * sizeof(float);
    } else if (t.dtype == DType::f32 && storage == model::WeightStorage::f16) {
      bytes += t.file_bytes() / 2;
    } else {
      bytes += t.file_bytes();
    }
  }
  return bytes;
}

uint32_t prefill_tokens(const formats::Config& c, uint32_t context, const Limits& limits) {
  const uint64_t widest =
      std::max({2 * c.ffn_dim, 2 * c.n_experts_used * c.expert_ffn_dim,
                c.n_experts_used * c.model_dim, c.q_dim() + 2 * c.kv_dim(), c.model_dim});
  const uint64_t bindable =
      std::min(limits.max_binding_bytes, limits.max_buffer_bytes) / (4 * widest);
  return static_cast<uint32_t>(
      std::clamp<uint64_t>(bindable, 1, std::min(context, kMaxPrefillTokens)));
}

uint64_t step_bytes(const formats::Config& c, uint32_t max_tokens, uint32_t context) {
  return sizeof(uint32_t) * (uint64_t{2} * max_tokens + context + 1 + c.vocab_size) +
         ops::SamplingBuffers::bytes(c.vocab_size);
}

uint64_t budget_of(const MemoryQuestion& q) {
  if (q.budget > 0) return q.budget;
  return q.limits.memory_bytes - std::min(q.limits.memory_bytes, kReservedBytes);
}

MemoryUse memory_needed(const MemoryQuestion& q, uint32_t context) {
  const formats::Config& c = q.config;
  const uint32_t max_tokens = prefill_tokens(c, std::max(context, 1u), q.limits);
  MemoryUse use = {
      .weights = q.weight_bytes,
      .kv_cache = q.kv_shape.bytes(context),
      .activations = model::Activations::bytes(c, max_tokens) + step_bytes(c, max_tokens, context)};
  if (q.fused && model::can_fuse(c, context, q.limits)) {
    use.activations += model::DecodeBuffers::bytes(c, context);
  }
  const uint64_t n_dispatches = kDispatchesPerLayer * c.n_layers + 8;
  use.other = context * rope_bytes_per_token(c) + context / 4 +  // page table: a word for 16
              2 * n_dispatches * kParamsBytes +                  // a prefill and a decode step
              sizeof(float) * c.vocab_size;                      // logits, on their way back
  if (!q.spills || budget_of(q) == 0 || use.total() <= budget_of(q)) return use;
  const uint64_t rest = use.total() - use.kv_cache;
  const uint64_t left = budget_of(q) - std::min(budget_of(q), rest);
  const uint64_t least = kv_cache::KvOptions::least_bytes(q.kv_shape, kv_cache::kGranule);
  const uint64_t on_device = std::max(left, least);
  use.kv_host = use.kv_cache - std::min(use.kv_cache, on_device);
  use.kv_cache = on_device;
  return use;
}

uint32_t fitting_context(const MemoryQuestion& q) {
  uint32_t least = 0, most = q.config.max_seq_len;
  if (fits(q, most)) return most;
  while (most - least > 1) {  // `least` fits, or is 0; `most` does not
    const uint32_t middle = least + (most - least) / 2;
    (fits(q, middle) ? least : most) = middle;
  }
  return least / kv_cache::kPageSize * kv_cache::kPageSize;
}

Result<uint32_t> choose_context(const MemoryQuestion& q, uint32_t wanted) {
  const uint32_t fitting = fitting_context(q);
  if (wanted > q.config.max_seq_len) {
    return fail(ErrorCode::invalid_argument,
                "engine: a context of {} tokens is asked for, the model was made for {}", wanted,
                q.config.max_seq_len);
  }
  const std::string has = q.budget > 0
                              ? fmt::format("the memory budget is {}", megabytes(q.budget))
                              : fmt::format("the adapter has {}", megabytes(q.limits.memory_bytes));
  if (fitting == 0 && (wanted == 0 || !fits(q, wanted))) {
    return fail(ErrorCode::out_of_memory,
                "engine: a context of {} tokens already needs {}; {}; use {}a smaller model",
                kv_cache::kPageSize, parts(memory_needed(q, kv_cache::kPageSize)), has,
                q.budget > 0 ? "a larger --memory-budget or " : "");
  }
  if (wanted == 0) return fitting;
  if (!fits(q, wanted)) {
    return fail(ErrorCode::out_of_memory,
                "engine: a context of {} tokens needs {}; {}, {} tokens fit {}; use --context {}",
                wanted, parts(memory_needed(q, wanted)), has, fitting,
                q.budget > 0 ? "in it" : "on this adapter", fitting);
  }
  return wanted;
}

kv_cache::KvOptions kv_options(const MemoryQuestion& q, uint32_t context, uint64_t kv_bytes,
                               uint32_t slab) {
  kv_cache::KvOptions options = {.context = context, .slab = slab, .most_bytes = kv_bytes};
  const uint64_t whole = q.kv_shape.bytes(context);
  if (kv_bytes == 0) return options;
  options.spills = q.spills && whole > kv_bytes;
  if (!options.spills) {
    options.most_bytes = std::max(kv_bytes, whole);  // what was promised to fit, fits
    return options;
  }
  if (slab == 0) options.slab = spilled_slab(q, kv_bytes);
  const uint64_t least = kv_cache::KvOptions::least_bytes(q.kv_shape, options.slab);
  options.most_bytes = std::max(kv_bytes, least) - q.kv_shape.layer_bytes(options.slab);
  return options;
}

}  // namespace handloom::engine
