#include "ops/kv_append.h"

#include "ops/check.h"

namespace handloom::ops {

void kv_append(gpu::Encoder& enc, const gpu::Tensor& qkv, const gpu::Tensor& positions,
               const gpu::Tensor& page_table, const gpu::Tensor& kv, const Heads& heads) {
  const uint32_t rows = positions.dim(0);
  const uint32_t row_values = 2 * heads.n_kv_heads * heads.head_dim;

  if (!check_shape(enc, "kv_append", "qkv", qkv, {rows, heads.row_dim()})) return;
  if (!check_shape(enc, "kv_append", "kv", kv,
                   {kv.dim(0), 2 * heads.n_kv_heads, 16, heads.head_dim})) {
    return;
  }
  if (!check_multiple(enc, "kv_append", "head_dim", heads.head_dim, 4)) return;

  enc.dispatch({
      .kernel = kernels::kv_append(kv_variant(kv)),
      .bindings = {qkv, positions, page_table, kv},
      .params = kernels::KvAppendParams{.row_dim4 = heads.row_dim() / 4,
                                        .first_key4 = heads.n_heads * heads.head_dim / 4,
                                        .n_kv_heads = heads.n_kv_heads,
                                        .head_dim4 = heads.head_dim / 4},
      .workgroups = {ceil_div(row_values / 4, 64), rows, 1},
      .bytes = uint64_t{rows} * row_values * (4 + dtype_bytes(kv.dtype)),
  });
}

}  // namespace handloom::ops
