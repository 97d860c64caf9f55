#include "ops/attention.h"

#include "ops/check.h"

#include <algorithm>

namespace handloom::ops {
namespace {

constexpr uint32_t kRowsPerWorkgroup = 4;  // as in attention_prefill.wgsl

/// The parameters that all three kernels have.
template <class Params>
Params params_of(const Heads& heads, const Scores& scores, const SlabRange& slab) {
  return {.row_dim4 = heads.row_dim() / 4,
          .n_heads = heads.n_heads,
          .n_kv_heads = heads.n_kv_heads,
          .head_dim4 = heads.head_dim / 4,
          .scale = scores.scale,
          .window = scores.window,
          .softcap = scores.softcap,
          .first = slab.first,
          .end = slab.end,
          .is_first = slab.is_first,
          .is_last = slab.is_last};
}

/// Bytes of the keys and values that the last row sees in this slab.
uint64_t bytes_seen(const gpu::Tensor& kv, const Heads& heads, const Scores& scores,
                    uint32_t n_keys, const SlabRange& slab) {
  const uint32_t first_seen =
      scores.window > 0 && n_keys > scores.window ? n_keys - scores.window : 0;
  const uint32_t begin = std::max(first_seen, slab.first), end = std::min(n_keys, slab.end);
  const uint64_t n_seen = end > begin ? end - begin : 0;
  return n_seen * 2 * heads.n_kv_heads * kv.dim(3) * dtype_bytes(kv.dtype);
}

}  // namespace

void attention(gpu::Encoder& enc, const gpu::Tensor& qkv, const gpu::Tensor& positions,
               const gpu::Tensor& page_table, const gpu::Tensor& kv, const gpu::Tensor& softmax,
               const gpu::Tensor& y, const Heads& heads, const Scores& scores, uint32_t n_keys,
               const SlabRange& slab, std::optional<Sharing> sharing) {
  const uint32_t rows = positions.dim(0);

  if (!check_shape(enc, "attention", "qkv", qkv, {rows, heads.row_dim()})) return;
  if (!check_shape(enc, "attention", "softmax", softmax, {rows, heads.n_heads, 2})) return;
  if (!check_shape(enc, "attention", "y", y, {rows, heads.n_heads * heads.head_dim})) return;
  if (!check_kv_shape(enc, "attention", kv, heads)) return;
  if (!check_multiple(enc, "attention", "head_dim", heads.head_dim, 4)) return;
  if (!check_multiple(enc, "attention", "n_heads", heads.n_heads, heads.n_kv_heads)) return;
  if (!check_most(enc, "attention", "head_dim", heads.head_dim, 256)) return;
  if (!check_multiple(enc, "attention", "first", slab.first, SlabRange::kGranule)) return;

  const bool is_prefill = rows >= kRowsPerWorkgroup;
  const uint64_t bytes = 2 * y.bytes() + bytes_seen(kv, heads, scores, n_keys, slab);
  if (is_prefill && sharing.value_or(sharing_on(enc)) == Sharing::lanes) {
    const uint32_t n_lanes = lanes_workgroup(enc);
    auto params = params_of<kernels::AttentionLanesParams>(heads, scores, slab);
    params.rows = rows;
    enc.dispatch({
        .kernel = kernels::attention_lanes(kv_variant(kv)),
        .bindings = {qkv, positions, page_table, kv, softmax, y},
        .params = params,
        .constants = {{"workgroup_size", static_cast<double>(n_lanes)}},
        .workgroups = {heads.n_heads, ceil_div(rows, n_lanes), 1},
        .bytes = bytes,
    });
  } else if (is_prefill) {
    auto params = params_of<kernels::AttentionPrefillParams>(heads, scores, slab);
    params.rows = rows;
    enc.dispatch({
        .kernel = kernels::attention_prefill(kv_variant(kv), reduce_variant(enc)),
        .bindings = {qkv, positions, page_table, kv, softmax, y},
        .params = params,
        .constants = {{"max_head_dim4", static_cast<double>(heads.head_dim / 4)}},
        .workgroups = {heads.n_heads, ceil_div(rows, kRowsPerWorkgroup), 1},
        .bytes = bytes,
    });
  } else {
    enc.dispatch({
        .kernel = kernels::attention(kv_variant(kv), reduce_variant(enc)),
        .bindings = {qkv, positions, page_table, kv, softmax, y},
        .params = params_of<kernels::AttentionParams>(heads, scores, slab),
        .workgroups = {heads.n_heads, rows, 1},
        .bytes = bytes,
    });
  }
}

}  // namespace handloom::ops
