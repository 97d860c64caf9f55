#include "ops/attention.h"

#include "ops/check.h"

#include <algorithm>

namespace handloom::ops {
namespace {

constexpr uint32_t kRowsPerWorkgroup = 4;  // as in attention_prefill.wgsl

}  // namespace

void attention(gpu::Encoder& enc, const gpu::Tensor& qkv, const gpu::Tensor& positions,
               const gpu::Tensor& page_table, const gpu::Tensor& kv, const gpu::Tensor& y,
               const Heads& heads, const Scores& scores, uint32_t n_keys) {
  const uint32_t rows = positions.dim(0);

  if (!check_shape(enc, "attention", "qkv", qkv, {rows, heads.row_dim()})) return;
  if (!check_shape(enc, "attention", "y", y, {rows, heads.n_heads * heads.head_dim})) return;
  if (!check_shape(enc, "attention", "kv", kv,
                   {kv.dim(0), 2 * heads.n_kv_heads, 16, heads.head_dim})) {
    return;
  }
  if (!check_multiple(enc, "attention", "head_dim", heads.head_dim, 4)) return;
  if (!check_multiple(enc, "attention", "n_heads", heads.n_heads, heads.n_kv_heads)) return;
  if (!check_most(enc, "attention", "head_dim", heads.head_dim, 256)) return;

  const uint32_t n_seen = scores.window > 0 ? std::min(n_keys, scores.window) : n_keys;
  const uint64_t kv_bytes =
      uint64_t{2} * n_seen * heads.n_kv_heads * heads.head_dim * dtype_bytes(kv.dtype);
  if (rows < kRowsPerWorkgroup) {
    enc.dispatch({
        .kernel = kernels::attention(kv_variant(kv), reduce_variant(enc)),
        .bindings = {qkv, positions, page_table, kv, y},
        .params = kernels::AttentionParams{.row_dim4 = heads.row_dim() / 4,
                                           .n_heads = heads.n_heads,
                                           .n_kv_heads = heads.n_kv_heads,
                                           .head_dim4 = heads.head_dim / 4,
                                           .scale = scores.scale,
                                           .window = scores.window,
                                           .softcap = scores.softcap},
        .workgroups = {heads.n_heads, rows, 1},
        .bytes = 2 * y.bytes() + kv_bytes,
    });
  } else {
    enc.dispatch({
        .kernel = kernels::attention_prefill(kv_variant(kv), reduce_variant(enc)),
        .bindings = {qkv, positions, page_table, kv, y},
        .params = kernels::AttentionPrefillParams{.rows = rows,
                                                  .row_dim4 = heads.row_dim() / 4,
                                                  .n_heads = heads.n_heads,
                                                  .n_kv_heads = heads.n_kv_heads,
                                                  .head_dim4 = heads.head_dim / 4,
                                                  .scale = scores.scale,
                                                  .window = scores.window,
                                                  .softcap = scores.softcap},
        .workgroups = {heads.n_heads, ceil_div(rows, kRowsPerWorkgroup), 1},
        .bytes = 2 * y.bytes() + kv_bytes,
    });
  }
}

}  // namespace handloom::ops
