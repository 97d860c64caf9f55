// KvCache: what a session remembers. Keys and values lie in pages of 16 tokens, pages in slabs; a
// slab is one buffer a layer, made when the context grows into it and kept from then on. The page
// table says which page of its slab holds which 16 positions. So far that is the identity, which
// the kernels do not rely on.
//
// A page of one layer, as dtype, row-major:
//   f32, f16   [2 * n_kv_heads, 16, head_dim]: keys of every head, then values
//   i8         codes [2 * n_kv_heads, 16, head_dim], then f16 scales [n_kv_heads, 16, 2]: of a key
//              and of its value. Counted as [2 * n_kv_heads, 16, head_dim + 2] in shapes.
//
// A cache that spills moves the layers of its oldest slabs to the host's memory when the device's
// is used up. A step copies them, one at a time, to a staging slab and attends to that: the same
// keys through the same kernels, so the same bits (but see docs/numerics.md).
#pragma once

#include "base/flags.h"
#include "base/result.h"
#include "gpu/device.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace handloom::kv_cache {

inline constexpr uint32_t kPageSize = 16;  // tokens; as in kernels/lib/kv_*.wgsl
/// Slabs begin at multiples of this: then attention computes the same bits however many there are.
inline constexpr uint32_t kGranule = 256;

struct KvShape {
  uint32_t n_layers = 0;
  uint32_t n_kv_heads = 0;
  uint32_t head_dim = 0;
  DType dtype = DType::f32;  // f32, f16 or i8

  /// One page of one layer.
  Shape page() const {
    return {2 * n_kv_heads, kPageSize, dtype == DType::i8 ? head_dim + 2 : head_dim};
  }
  uint64_t page_bytes() const { return page().count() * dtype_bytes(dtype); }
  /// Bytes of `n_tokens` tokens in one layer, in whole pages.
  uint64_t layer_bytes(uint64_t n_tokens) const {
    return (n_tokens + kPageSize - 1) / kPageSize * page_bytes();
  }
  uint64_t bytes(uint64_t n_tokens) const { return n_layers * layer_bytes(n_tokens); }
};

struct KvOptions {
  uint32_t context = 0;     // tokens at most
  uint32_t slab = 0;        // tokens of a slab, a multiple of kGranule; 0: each doubles the cache
  uint64_t most_bytes = 0;  // of all caches on the device together; 0: whatever it grants
  bool spills = false;      // to the host, beyond most_bytes; then `slab` is given

  /// Tokens that a step may append: those of two slabs have to be on the device then.
  uint32_t most_rows() const { return spills ? slab : UINT32_MAX; }
  /// What a cache that spills takes at least: two slabs, a layer of one for staging, and a layer on
  /// its way to the host, which is not of `most_bytes`.
  static uint64_t least_bytes(const KvShape& shape, uint32_t slab) {
    return 2 * shape.bytes(slab) + 2 * shape.layer_bytes(slab);
  }
};

struct Slab {
  uint32_t first = 0;               // position; a multiple of kGranule
  uint32_t end = 0;                 // the position after the last
  std::vector<gpu::Tensor> layers;  // [n_pages, page]
  Flags is_on_host;                 // of each layer; then it can only be copied from

  uint32_t n_pages() const { return (end - first) / kPageSize; }
  bool is_on_device() const;
};

class KvCache {
 public:
  /// A cache without any slab.
  static Result<KvCache> create(gpu::Device& device, const KvShape& shape,
                                const KvOptions& options);

  /// Makes room on the device for the positions from `first` to before `end`, of which what comes
  /// before `first` is kept. If something has to leave the device for that, answers with it on its
  /// way: hand the bytes to moved(), then ask again. Error: out_of_memory.
  Result<std::optional<gpu::Readback>> make_room(gpu::Device& device, uint32_t first, uint32_t end);
  void moved(gpu::Device& device, std::span<const std::byte> bytes);

  std::span<const Slab> slabs() const { return slabs_; }
  /// Those that rows at positions from `first` to before `n_keys` may see, and any rows in the
  /// same slabs.
  std::span<const Slab> slabs_seen(uint32_t first, uint32_t n_keys, uint32_t window) const;
  /// The slab that holds a position for which there is room.
  const Slab& slab_of(uint32_t position) const;
  /// u32 [pages of the whole context]: page within its slab
  const gpu::Tensor& page_table() const { return page_table_; }
  /// Where a slab on the host is copied to, cut to its pages.
  gpu::Tensor staging_for(const Slab& slab) const { return staging_.first_rows(slab.n_pages()); }

  uint32_t context() const { return options_.context; }
  uint32_t capacity() const { return slabs_.empty() ? 0 : slabs_.back().end; }
  uint32_t most_rows() const { return options_.most_rows(); }
  /// Another number whenever a recording of before has become useless.
  uint32_t revision() const { return revision_; }

 private:
  uint64_t free_bytes(const gpu::Device& device) const;
  Result<gpu::Tensor> create_layer(gpu::Device& device, std::string name, uint32_t n_pages) const;
  /// Tokens of the next slab, if that fits.
  std::optional<uint32_t> next_slab(const gpu::Device& device, uint32_t end) const;
  Result<void> add_slab(gpu::Device& device, uint32_t n_tokens);
  Result<void> bring_back(gpu::Device& device, Slab& slab, bool is_kept);
  /// Frees the last slab if all of it lies beyond `end`.
  bool drop_unused(uint32_t end);
  /// Starts to move a layer of the oldest slab that ends by `first`.
  Result<gpu::Readback> move_oldest(gpu::Device& device, uint32_t first, uint32_t end);

  KvShape shape_;
  KvOptions options_;
  std::vector<Slab> slabs_;
  gpu::Tensor page_table_;
  gpu::Tensor staging_;  // one layer of a slab; none until something spills
  uint32_t moving_slab_ = 0, moving_layer_ = 0;
  uint32_t revision_ = 0;
};

}  // namespace handloom::kv_cache
