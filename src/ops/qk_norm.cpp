#include "ops/qk_norm.h"

#include "ops/check.h"

namespace handloom::ops {

void qk_norm(gpu::Encoder& enc, const gpu::Tensor& q_weight, const gpu::Tensor& k_weight,
             const gpu::Tensor& qkv, const Heads& heads, float eps) {
  const uint32_t rows = qkv.dim(0), n_normed = heads.n_heads + heads.n_kv_heads;

  if (!check_shape(enc, "qk_norm", "q_weight", q_weight, {heads.head_dim})) return;
  if (!check_shape(enc, "qk_norm", "k_weight", k_weight, {heads.head_dim})) return;
  if (!check_shape(enc, "qk_norm", "qkv", qkv, {rows, heads.row_dim()})) return;
  if (!check_multiple(enc, "qk_norm", "head_dim", heads.head_dim, 4)) return;

  enc.dispatch({
      .kernel = kernels::qk_norm(reduce_variant(enc)),
      .bindings = {q_weight, k_weight, qkv},
      .params = kernels::QkNormParams{.n_heads = heads.n_heads,
                                      .head_dim4 = heads.head_dim / 4,
                                      .row_dim4 = heads.row_dim() / 4,
                                      .eps = eps},
      .workgroups = {n_normed, rows, 1},
      .bytes = uint64_t{rows} * n_normed * heads.head_dim * 8,
  });
}

}  // namespace handloom::ops
