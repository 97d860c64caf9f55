#include "ops/kv_append.h"

#include "ops/check.h"

namespace handloom::ops {
namespace {

template <class Params>
Params params_of(const Heads& heads, const SlabRange& slab) {
  return {.row_dim4 = heads.row_dim() / 4,
          .first_key4 = heads.n_heads * heads.head_dim / 4,
          .n_kv_heads = heads.n_kv_heads,
          .head_dim4 = heads.head_dim / 4,
          .first = slab.first,
          .end = slab.end};
}

}  // namespace

void kv_append(gpu::Encoder& enc, const gpu::Tensor& qkv, const gpu::Tensor& positions,
               const gpu::Tensor& page_table, const gpu::Tensor& kv, const Heads& heads,
               const SlabRange& slab) {
  const uint32_t rows = positions.dim(0);
  const uint64_t row_bytes =
      2 * heads.n_kv_heads *
      (4 * heads.head_dim + kv_row_dim(kv.dtype, heads.head_dim) * dtype_bytes(kv.dtype));

  if (!check_shape(enc, "kv_append", "qkv", qkv, {rows, heads.row_dim()})) return;
  if (!check_kv_shape(enc, "kv_append", kv, heads)) return;
  if (!check_multiple(enc, "kv_append", "head_dim", heads.head_dim, 4)) return;
  if (!check_most(enc, "kv_append", "head_dim", heads.head_dim, 256)) return;

  if (kv.dtype == DType::i8) {
    enc.dispatch({
        .kernel = kernels::kv_append_int8(reduce_variant(enc)),
        .bindings = {qkv, positions, page_table, kv},
        .params = params_of<kernels::KvAppendInt8Params>(heads, slab),
        .workgroups = {heads.n_kv_heads, rows, 1},
        .bytes = rows * row_bytes,
    });
  } else {
    enc.dispatch({
        .kernel =
            kernels::kv_append(kv.dtype == DType::f16 ? kernels::Page::f16 : kernels::Page::f32),
        .bindings = {qkv, positions, page_table, kv},
        .params = params_of<kernels::KvAppendParams>(heads, slab),
        .workgroups = {ceil_div(2 * heads.n_kv_heads * heads.head_dim / 4, 64), rows, 1},
        .bytes = rows * row_bytes,
    });
  }
}

}  // namespace handloom::ops
