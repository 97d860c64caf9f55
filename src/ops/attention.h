#pragma once

#include "gpu/encoder.h"
#include "ops/heads.h"
#include "ops/sharing.h"
#include "ops/slab_range.h"

#include <optional>

namespace handloom::ops {

/// What an attention layer does to its scores and which keys it sees.
struct Scores {
  float scale = 1.0f;    // of a query-key product
  uint32_t window = 0;   // keys a row sees, its own included; 0: all before it
  float softcap = 0.0f;  // scores become softcap * tanh(score / softcap); 0: not
};

/// y[r,h,:] = softmax(scale * q[r,h,:] . K) V over the keys up to positions[r] or the last
/// `window` of them; grouped queries.
/// Kernels: kernels/attention.wgsl for up to 3 rows, kernels/attention_prefill.wgsl or
/// kernels/attention_lanes.wgsl for more, as `sharing` says, or sharing_on().
///
///   qkv         f32 [rows, heads.row_dim()]
///   positions   u32 [rows]
///   page_table  u32 [n_pages]   page, within its slab, of each 16 positions
///   kv          a slab, as kv_append says   up to and with these rows
///   softmax     f32 [rows, n_heads, 2]   what one slab's call leaves for the next
///   y           f32 [rows, n_heads * head_dim]   its own buffer
///
/// A cache of several slabs takes a call for each, in order, and `slab` says which part of the keys
/// is at hand. Where the cuts are (multiples of 256) changes no bit of y.
/// `n_keys` is the largest position + 1, for counting bytes; the kernel reads positions itself.
void attention(gpu::Encoder& enc, const gpu::Tensor& qkv, const gpu::Tensor& positions,
               const gpu::Tensor& page_table, const gpu::Tensor& kv, const gpu::Tensor& softmax,
               const gpu::Tensor& y, const Heads& heads, const Scores& scores, uint32_t n_keys,
               const SlabRange& slab = {}, std::optional<Sharing> sharing = {});

}  // namespace handloom::ops
