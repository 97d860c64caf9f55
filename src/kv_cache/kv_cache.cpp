#include "kv_cache/kv_cache.h"

#include "gpu/encoder.h"

#include <algorithm>
#include <numeric>

namespace handloom::kv_cache {
namespace {

constexpr uint64_t kLeastFirstSlab = 1024;  // tokens
constexpr uint64_t kMostFirstSlab = 8192;
constexpr uint64_t kFirstSlabShare = 64;  // of the device's memory, at most one part in so many

uint64_t round_up(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }

/// Tokens of the largest slab that one binding holds, a multiple of kGranule and not 0.
uint64_t bindable_tokens(const gpu::Device& device, const KvShape& shape) {
  const Limits& limits = device.adapter().limits;
  const uint64_t most = std::min(limits.max_binding_bytes, limits.max_buffer_bytes);
  const uint64_t tokens = most / shape.page_bytes() * kPageSize;
  return std::max<uint64_t>(tokens / kGranule * kGranule, kGranule);
}

/// Tokens of a first slab: attention takes a dispatch for each slab, so few large ones are better,
/// but a small device should not give its memory away.
uint64_t first_slab(const gpu::Device& device, const KvShape& shape) {
  const uint64_t bytes = device.adapter().limits.memory_bytes / kFirstSlabShare;
  return std::clamp(bytes / shape.bytes(kPageSize) * kPageSize, kLeastFirstSlab, kMostFirstSlab);
}

}  // namespace

bool Slab::is_on_device() const { return std::ranges::find(is_on_host, true) == is_on_host.end(); }

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

Result<std::optional<gpu::Readback>> KvCache::make_room(gpu::Device& device, uint32_t first,
                                                        uint32_t end) {
  if (options_.spills && !staging_.buffer) {
    TRY(staging_, create_layer(device, "kv.staging", options_.slab / kPageSize));
  }
  while (true) {
    const auto absent = std::ranges::find_if(
        slabs_, [&](const Slab& s) { return s.first < end && s.end > first && !s.is_on_device(); });
    if (absent == slabs_.end() && capacity() >= end) return std::nullopt;
    if (absent != slabs_.end()) {
      if (shape_.bytes(absent->end - absent->first) <= free_bytes(device)) {
        CHECK_OK(bring_back(device, *absent, absent->first < first));
        continue;
      }
    } else if (const std::optional<uint32_t> n_tokens = next_slab(device, end)) {
      CHECK_OK(add_slab(device, *n_tokens));
      continue;
    }
    if (drop_unused(end)) continue;
    TRY(gpu::Readback moving, move_oldest(device, first, end));
    return moving;
  }
}

uint64_t KvCache::free_bytes(const gpu::Device& device) const {
  if (options_.most_bytes == 0) return UINT64_MAX;
  return options_.most_bytes - std::min(options_.most_bytes, device.memory().kv_cache);
}

Result<gpu::Tensor> KvCache::create_layer(gpu::Device& device, std::string name,
                                          uint32_t n_pages) const {
  const Shape page = shape_.page();
  return device.create_tensor(std::move(name), shape_.dtype,
                              {n_pages, page.dim(0), page.dim(1), page.dim(2)},
                              gpu::MemoryKind::kv_cache);
}

std::optional<uint32_t> KvCache::next_slab(const gpu::Device& device, uint32_t end) const {
  const uint64_t left = round_up(options_.context, kPageSize) - capacity();
  const uint64_t missing = end - capacity();
  const uint64_t doubled =
      round_up(std::max<uint64_t>({missing, capacity(), first_slab(device, shape_)}), kGranule);
  const uint64_t wanted = options_.slab > 0 ? options_.slab : doubled;
  uint64_t tokens = std::min({wanted, left, bindable_tokens(device, shape_)});
  if (shape_.bytes(tokens) > free_bytes(device)) {
    tokens = std::min(tokens, round_up(missing, kGranule));
  }
  if (shape_.bytes(tokens) > free_bytes(device)) return std::nullopt;
  return static_cast<uint32_t>(tokens);
}

Result<void> KvCache::add_slab(gpu::Device& device, uint32_t n_tokens) {
  Slab slab = {.first = capacity(), .end = capacity() + n_tokens};
  for (uint32_t il = 0; il < shape_.n_layers; ++il) {
    TRY(gpu::Tensor layer,
        create_layer(device, fmt::format("kv.{}.{}", il, slab.first), slab.n_pages()));
    slab.layers.push_back(std::move(layer));
  }
  slab.is_on_host.resize(shape_.n_layers);
  std::vector<uint32_t> identity(slab.n_pages());
  std::iota(identity.begin(), identity.end(), 0u);
  device.write(page_table_, std::as_bytes(std::span(identity)),
               uint64_t{slab.first} / kPageSize * sizeof(uint32_t));
  slabs_.push_back(std::move(slab));
  return {};
}

Result<void> KvCache::bring_back(gpu::Device& device, Slab& slab, bool is_kept) {
  gpu::Encoder enc(device, "bring keys and values back");
  std::vector<gpu::Tensor> layers = slab.layers;
  for (uint32_t il = 0; il < shape_.n_layers; ++il) {
    if (!slab.is_on_host[il]) continue;
    TRY(layers[il], create_layer(device, slab.layers[il].name, slab.n_pages()));
    if (is_kept) enc.copy(slab.layers[il], layers[il]);
  }
  TRY(const gpu::Recording recording, enc.finish());
  if (is_kept) device.submit(recording);
  slab.layers = std::move(layers);
  slab.is_on_host.assign(shape_.n_layers, false);
  ++revision_;
  return {};
}

bool KvCache::drop_unused(uint32_t end) {
  if (slabs_.empty() || slabs_.back().first < end) return false;
  slabs_.pop_back();
  ++revision_;
  return true;
}

Result<gpu::Readback> KvCache::move_oldest(gpu::Device& device, uint32_t first, uint32_t end) {
  for (uint32_t s = 0; options_.spills && s < slabs_.size(); ++s) {
    if (slabs_[s].end > first) break;
    for (uint32_t il = 0; il < shape_.n_layers; ++il) {
      if (slabs_[s].is_on_host[il]) continue;
      moving_slab_ = s;
      moving_layer_ = il;
      return device.read(slabs_[s].layers[il]);
    }
  }
  return fail(ErrorCode::out_of_memory,
              "kv_cache: room for {} tokens needs {} bytes, {} of the {} that the memory budget "
              "leaves are taken; use a smaller --context, --kv int8 or --kv-spill host",
              end, shape_.bytes(end), device.memory().kv_cache, options_.most_bytes);
}

void KvCache::moved(gpu::Device& device, std::span<const std::byte> bytes) {
  gpu::Tensor& layer = slabs_[moving_slab_].layers[moving_layer_];
  layer = device.create_host_tensor(layer.name, layer.dtype, layer.shape, bytes);
  slabs_[moving_slab_].is_on_host[moving_layer_] = true;
  ++revision_;
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
