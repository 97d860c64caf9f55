// KvCache: what a session remembers. Keys and values lie in pages of 16 tokens, pages in slabs; a
// slab is one buffer a layer, made when the context grows into it and kept from then on. The page
// table says which page of its slab holds which 16 positions. So far that is the identity, which
// the kernels do not rely on.
//
// A page of one layer, as dtype, row-major:
//   f32, f16   [2 * n_kv_heads, 16, head_dim]: keys of every head, then values
//   i8         codes [2 * n_kv_heads, 16, head_dim], then f16 scales [n_kv_heads, 16, 2]: of a key
//              and of its value. Counted as [2 * n_kv_heads, 16, head_dim + 2] in shapes.
#pragma once

#include "base/result.h"
#include "gpu/device.h"

#include <cstdint>
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
  /// Bytes of `n_tokens` tokens in all layers, whole pages.
  uint64_t bytes(uint64_t n_tokens) const {
    return (n_tokens + kPageSize - 1) / kPageSize * page_bytes() * n_layers;
  }
};

struct KvOptions {
  uint32_t context = 0;  // tokens at most
  uint32_t slab = 0;     // tokens of every slab, a multiple of kGranule; 0: each doubles the cache
  uint64_t most_bytes = 0;  // of all caches on the device together; 0: whatever it grants
};

struct Slab {
  uint32_t first = 0;               // position; a multiple of kGranule
  uint32_t end = 0;                 // the position after the last
  std::vector<gpu::Tensor> layers;  // [n_pages, page]

  uint32_t n_pages() const { return (end - first) / kPageSize; }
};

class KvCache {
 public:
  /// A cache without any slab.
  static Result<KvCache> create(gpu::Device& device, const KvShape& shape,
                                const KvOptions& options);

  /// Adds slabs until there is room for `n_tokens` tokens. Error: out_of_memory.
  Result<void> grow(gpu::Device& device, uint32_t n_tokens);

  std::span<const Slab> slabs() const { return slabs_; }
  /// Those that rows at positions from `first` to before `n_keys` may see, and any rows in the
  /// same slabs.
  std::span<const Slab> slabs_seen(uint32_t first, uint32_t n_keys, uint32_t window) const;
  /// The slab that holds a position for which there is room.
  const Slab& slab_of(uint32_t position) const;
  /// u32 [pages of the whole context]: page within its slab
  const gpu::Tensor& page_table() const { return page_table_; }
  uint32_t context() const { return options_.context; }
  uint32_t capacity() const { return slabs_.empty() ? 0 : slabs_.back().end; }

 private:
  /// Tokens of the next slab, at least one page; `n_tokens` are needed altogether.
  Result<uint32_t> next_slab(const gpu::Device& device, uint32_t n_tokens) const;
  Result<void> add_slab(gpu::Device& device, uint32_t n_tokens);

  KvShape shape_;
  KvOptions options_;
  std::vector<Slab> slabs_;
  gpu::Tensor page_table_;
};

}  // namespace handloom::kv_cache
