#include "ops/rope.h"

#include "ops/check.h"

namespace handloom::ops {

void rope(gpu::Encoder& enc, const gpu::Tensor& positions, const gpu::Tensor& cos_sin,
          const gpu::Tensor& qkv, const Heads& heads) {
  const uint32_t rows = positions.dim(0), half_dim = cos_sin.dim(1);
  const uint32_t n_heads = heads.n_heads + heads.n_kv_heads;

  if (!check_shape(enc, "rope", "qkv", qkv, {rows, heads.row_dim()})) return;
  if (!check_shape(enc, "rope", "cos_sin", cos_sin, {cos_sin.dim(0), half_dim, 2})) return;
  if (!check_most(enc, "rope", "rope_dim", 2 * half_dim, heads.head_dim)) return;

  enc.dispatch({
      .kernel = kernels::rope(),
      .bindings = {positions, cos_sin, qkv},
      .params = kernels::RopeParams{.n_heads = n_heads,
                                    .head_dim = heads.head_dim,
                                    .half_dim = half_dim,
                                    .row_dim = heads.row_dim()},
      .workgroups = {ceil_div(n_heads * half_dim, 64), rows, 1},
      .bytes = uint64_t{rows} * n_heads * half_dim * 16,
  });
}

}  // namespace handloom::ops
