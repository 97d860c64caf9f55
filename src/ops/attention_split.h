// Attention of one row in two steps: spans of keys side by side, then what they found together.
#pragma once

#include "gpu/encoder.h"
#include "ops/attention.h"
#include "ops/input.h"

namespace handloom::ops {

/// Keys of a span: as in kernels/attention_split.wgsl.
inline constexpr uint32_t kSpan = 64;

/// What the spans of a context leave: how much each weighs, and its values.
struct Spans {
  gpu::Tensor softmax;  // f32 [n_spans, n_heads, 2]
  gpu::Tensor values;   // f32 [n_spans, n_heads, head_dim]
};

/// False, and the encoder will refuse to finish, unless the spans are of such heads.
bool check_spans(gpu::Encoder& enc, std::string_view op, const Spans& spans, const Heads& heads);
/// Bytes of the spans that a row sees.
uint64_t spans_bytes(const Heads& heads, const Scores& scores, uint32_t n_keys);

/// Attends to the keys of one slab.   Kernel: kernels/attention_split.wgsl
///
///   qkv         f32 [1, row_dim], rotated, its key appended
///   positions   u32 [1]
///   page_table  u32 [pages of the context]
///   kv          the slab [n_pages, page]
///   first, end  positions that the slab holds, first a multiple of kSpan
///   n_keys      that the row sees when recorded, for the count of bytes alone
void attention_split(gpu::Encoder& enc, const gpu::Tensor& qkv, const gpu::Tensor& positions,
                     const gpu::Tensor& page_table, const gpu::Tensor& kv, const Spans& spans,
                     const Heads& heads, const Scores& scores, uint32_t n_keys, uint32_t first,
                     uint32_t end);

/// What all spans that the row sees found together, as the next matrix's input.   Kernel:
/// kernels/attention_combine.wgsl
///
///   next  of n_heads * head_dim values, head_dim % 8 == 0
void attention_combine(gpu::Encoder& enc, const gpu::Tensor& positions, const Spans& spans,
                       const Heads& heads, const Scores& scores, uint32_t n_keys, Input& next);

}  // namespace handloom::ops
