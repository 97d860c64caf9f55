#include "kv_cache/kv_cache.h"

#include <algorithm>
#include <numeric>

namespace handloom::kv_cache {
namespace {

constexpr uint32_t kFirstSlab = 1024;  // tokens

uint64_t round_up(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }

/// Tokens of the largest slab that one binding holds, a multiple of kGranule and not 0.
uint64_t bindable_tokens(const gpu::Device& device, const KvShape& shape) {
  const Limits& limits = device.adapter().limits;
  const uint64_t most = std::min(limits.max_binding_bytes, limits.max_buffer_bytes);
  const uint64_t tokens = most / shape.page_bytes() * kPageSize;
  return std::max<uint64_t>(tokens / kGranule * kGranule, kGranule);
}

}  // namespace

Result<KvCache> KvCache::create(gpu::Device& device, const KvShape& shape,
                                const KvOptions& options) {
  KvCache cache;
  cache.shape_ = shape;
  cache.options_ = options;
  const uint32_t n_pages = std::max(1u, (options.context + kPageSize - 1) / kPageSize);
  TRY(cache.page_table_,
      device.create_tensor("page_table", DType::u32, {n_pages}, gpu::MemoryKind::other));
  return cache;
}

Result<void> KvCache::grow(gpu::Device& device, uint32_t n_tokens) {
  while (capacity() < n_tokens) {
    TRY(const uint32_t added, next_slab(device, n_tokens));
    CHECK_OK(add_slab(device, added));
  }
  return {};
}

Result<uint32_t> KvCache::next_slab(const gpu::Device& device, uint32_t n_tokens) const {
  const uint64_t missing = n_tokens - capacity();
  const uint64_t left = round_up(options_.context, kPageSize) - capacity();
  const uint64_t needed = std::min(round_up(missing, kGranule), left);
  const uint64_t doubled = std::max<uint64_t>({missing, capacity(), kFirstSlab});
  const uint64_t wanted = options_.slab > 0 ? options_.slab : round_up(doubled, kGranule);
  uint64_t tokens = std::min({wanted, left, bindable_tokens(device, shape_)});
  if (options_.most_bytes == 0) return static_cast<uint32_t>(tokens);

  const uint64_t free =
      options_.most_bytes - std::min(options_.most_bytes, device.memory().kv_cache);
  if (shape_.bytes(tokens) > free) tokens = std::min(tokens, needed);
  if (shape_.bytes(tokens) <= free) return static_cast<uint32_t>(tokens);
  return fail(ErrorCode::out_of_memory,
              "kv_cache: {} tokens need {} bytes more, the memory budget leaves {}; use a shorter "
              "--context, --kv int8 or --kv-spill host",
              n_tokens, shape_.bytes(tokens), free);
}

Result<void> KvCache::add_slab(gpu::Device& device, uint32_t n_tokens) {
  Slab slab = {.first = capacity(), .end = capacity() + n_tokens};
  const Shape page = shape_.page();
  for (uint32_t il = 0; il < shape_.n_layers; ++il) {
    TRY(gpu::Tensor layer,
        device.create_tensor(fmt::format("kv.{}.{}", il, slab.first), shape_.dtype,
                             {slab.n_pages(), page.dim(0), page.dim(1), page.dim(2)},
                             gpu::MemoryKind::kv_cache));
    slab.layers.push_back(std::move(layer));
  }
  std::vector<uint32_t> identity(slab.n_pages());
  std::iota(identity.begin(), identity.end(), 0u);
  device.write(page_table_, std::as_bytes(std::span(identity)),
               uint64_t{slab.first} / kPageSize * sizeof(uint32_t));
  slabs_.push_back(std::move(slab));
  return {};
}

std::span<const Slab> KvCache::slabs_seen(uint32_t first, uint32_t n_keys, uint32_t window) const {
  // A recording is replayed for any position in its slab: what the first one there sees counts.
  const uint32_t earliest = slab_of(first).first;
  const uint32_t first_seen = window > 0 && earliest >= window ? earliest - window + 1 : 0;
  const auto begin =
      std::ranges::find_if(slabs_, [&](const Slab& s) { return s.end > first_seen; });
  const auto end = std::ranges::find_if(slabs_, [&](const Slab& s) { return s.first >= n_keys; });
  return {begin, end};
}

const Slab& KvCache::slab_of(uint32_t position) const {
  return *std::ranges::find_if(slabs_, [&](const Slab& s) { return s.end > position; });
}

}  // namespace handloom::kv_cache
