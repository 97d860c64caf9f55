#include "reference/kv_append.h"

#include "reference/round.h"

#include <algorithm>

namespace handloom::reference {

Host make_kv(uint32_t n_pages, uint32_t n_kv_heads, uint32_t head_dim) {
  return Host({n_pages, 2 * n_kv_heads, kPageSize, head_dim});
}

size_t kv_row(const Host& kv, std::span<const uint32_t> page_table, uint32_t kv_head,
              uint32_t position) {
  assert(position / kPageSize < page_table.size());
  const size_t page = page_table[position / kPageSize];
  return (page * kv.dim(1) + kv_head) * kPageSize + position % kPageSize;
}

void kv_append(const Host& qkv, std::span<const uint32_t> positions,
               std::span<const uint32_t> page_table, Host& kv, DType stored_as) {
  const uint32_t n_kv_rows = kv.dim(1), head_dim = kv.dim(3);  // K heads and V heads
  assert(positions.size() == qkv.n_rows());
  assert(qkv.row_dim() % head_dim == 0 && qkv.row_dim() > size_t{n_kv_rows} * head_dim);

  for (size_t r = 0; r < positions.size(); ++r) {
    const std::span<const float> k_and_v = qkv.row(r).last(size_t{n_kv_rows} * head_dim);
    for (uint32_t h = 0; h < n_kv_rows; ++h) {
      const std::span<float> slot = kv.row(kv_row(kv, page_table, h, positions[r]));
      std::ranges::copy(k_and_v.subspan(size_t{h} * head_dim, head_dim), slot.begin());
      if (stored_as == DType::i8) {
        round_to_int8(slot);
      } else {
        round_to(slot, stored_as);
      }
    }
  }
}

}  // namespace handloom::reference
