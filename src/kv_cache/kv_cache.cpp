#include "kv_cache/kv_cache.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace handloom::kv_cache {

Result<KvCache> KvCache::create(gpu::Device& device, const KvShape& shape, uint32_t context) {
  KvCache cache;
  cache.context_ = context;
  const uint32_t n_pages = (context + kPageSize - 1) / kPageSize;
  for (uint32_t il = 0; il < shape.n_layers; ++il) {
    TRY(gpu::Tensor layer,
        device.create_tensor(fmt::format("kv.{}", il), shape.dtype,
                             {n_pages, 2 * shape.n_kv_heads, kPageSize, shape.head_dim},
                             gpu::MemoryKind::kv_cache));
    cache.layers_.push_back(std::move(layer));
  }
  TRY(cache.page_table_,
      device.create_tensor("page_table", DType::u32, {n_pages}, gpu::MemoryKind::other));
  std::vector<uint32_t> identity(n_pages);
  std::iota(identity.begin(), identity.end(), 0u);
  device.write(cache.page_table_, std::as_bytes(std::span(identity)));
  return cache;
}

uint64_t context_that_fits(const Limits& limits, const KvShape& shape, uint64_t other_bytes) {
  const uint64_t per_layer = std::min(limits.max_binding_bytes, limits.max_buffer_bytes);
  uint64_t n_pages = per_layer / shape.page_bytes();
  if (limits.memory_bytes > 0) {  // 0: the adapter does not tell
    const uint64_t free = limits.memory_bytes - std::min(limits.memory_bytes, other_bytes);
    n_pages = std::min(n_pages, free / (shape.page_bytes() * shape.n_layers));
  }
  return n_pages * kPageSize;
}

}  // namespace handloom::kv_cache
