// KvCache: what a session remembers. Keys and values lie in pages of 16 tokens, one buffer a layer;
// the page table says which page holds which positions. So far a session owns all its pages from
// the start and the table is the identity; the kernels rely on neither.
#pragma once

#include "base/result.h"
#include "gpu/device.h"

#include <cstdint>
#include <vector>

namespace handloom::kv_cache {

inline constexpr uint32_t kPageSize = 16;  // tokens; as in kernels/kv_append.wgsl, attention.wgsl

struct KvShape {
  uint32_t n_layers = 0;
  uint32_t n_kv_heads = 0;
  uint32_t head_dim = 0;
  DType dtype = DType::f32;  // f32 or f16

  /// Bytes of one page of one layer.
  uint64_t page_bytes() const {
    return uint64_t{2} * n_kv_heads * kPageSize * head_dim * dtype_bytes(dtype);
  }
};

class KvCache {
 public:
  /// Room for `context` tokens. Error: out_of_memory, with what would fit.
  static Result<KvCache> create(gpu::Device& device, const KvShape& shape, uint32_t context);

  /// [n_pages, 2 * n_kv_heads, kPageSize, head_dim]: keys, then values, of each page.
  const gpu::Tensor& layer(uint32_t il) const { return layers_[il]; }
  /// u32 [n_pages]
  const gpu::Tensor& page_table() const { return page_table_; }
  uint32_t context() const { return context_; }

 private:
  std::vector<gpu::Tensor> layers_;
  gpu::Tensor page_table_;
  uint32_t context_ = 0;
};

/// The longest context whose cache the adapter can hold beside `other_bytes` of its memory.
uint64_t context_that_fits(const Limits& limits, const KvShape& shape, uint64_t other_bytes);

}  // namespace handloom::kv_cache
