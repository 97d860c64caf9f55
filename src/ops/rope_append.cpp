#include "ops/rope_append.h"

#include "ops/check.h"
#include "ops/slab_range.h"

namespace handloom::ops {

void rope_append(gpu::Encoder& enc, const RopeAppend& what) {
  const Heads& heads = what.heads;
  const uint32_t half_dim = what.cos_sin.dim(1);
  const bool norms = what.q_weight.buffer != nullptr;
  if (!check_shape(enc, "rope_append", "qkv", what.qkv, {1, heads.row_dim()})) return;
  if (!check_shape(enc, "rope_append", "positions", what.positions, {1})) return;
  if (!check_most(enc, "rope_append", "rope_dim", 2 * half_dim, heads.head_dim)) return;
  if (!check_multiple(enc, "rope_append", "head_dim", heads.head_dim, 4)) return;
  if (!check_most(enc, "rope_append", "head_dim", heads.head_dim, 256)) return;
  if (!check_kv_shape(enc, "rope_append", what.kv, heads)) return;
  for (const gpu::Tensor* weight : {&what.q_weight, &what.k_weight}) {
    if (norms && !check_shape(enc, "rope_append", "weight", *weight, {heads.head_dim})) return;
  }

  enc.dispatch({
      .kernel = kernels::rope_append(kv_variant(what.kv), reduce_variant(enc)),
      .bindings = {what.positions, what.cos_sin, norms ? what.q_weight : what.cos_sin,
                   norms ? what.k_weight : what.cos_sin, what.page_table, what.qkv, what.kv},
      .params = kernels::RopeAppendParams{.n_heads = heads.n_heads,
                                          .n_kv_heads = heads.n_kv_heads,
                                          .head_dim4 = heads.head_dim / 4,
                                          .half_dim = half_dim,
                                          .norms = norms,
                                          .eps = what.eps},
      .workgroups = {heads.n_heads + heads.n_kv_heads, 1, 1},
      .bytes = uint64_t{8} * heads.row_dim(),
  });
}

}  // namespace handloom::ops
