// Attention of one row in two steps: spans of keys side by side, then what they found together.
#pragma once

#include "gpu/encoder.h"
#include "ops/attention.h"
#include "ops/input.h"
#include "ops/sharing.h"

#include <optional>

namespace handloom::ops {

/// Keys of a span: as in kernels/attention_split.wgsl.
inline constexpr uint32_t kSpan = 64;

/// Spans of a row that follows `n_before` keys: theirs, and behind them its own key's.
constexpr uint32_t spans_of(uint32_t n_before) { return (n_before + kSpan - 1) / kSpan + 1; }

/// What one row brings to attention, and where its keys and values are kept.
struct SplitRow {
  const gpu::Tensor& qkv;        // f32 [1, row_dim], as it was projected
  const gpu::Tensor& positions;  // u32 [1]
  const gpu::Tensor& cos_sin;    // f32 [context, rope_dim / 2, 2]
  const gpu::Tensor& q_weight;  // f32 [head_dim], of the norm of queries, or none: without a buffer
  const gpu::Tensor& k_weight;  // f32 [head_dim], of the norm of keys, or none
  const gpu::Tensor& page_table;  // u32 [pages of the context]
  Heads heads;
  float eps = 0;

  bool has_norms() const { return q_weight.buffer != nullptr; }
};

/// Values that a span leaves for each head: max and sum of its softmax, two unused, its values.
constexpr uint32_t span_dim(uint32_t head_dim) { return 4 + head_dim; }

/// False, and the encoder will refuse to finish, unless all but qkv has the shapes that the heads
/// ask for.
bool check_row(gpu::Encoder& enc, std::string_view op, const SplitRow& row);
/// False likewise, unless the spans are of such heads.
bool check_spans(gpu::Encoder& enc, std::string_view op, const gpu::Tensor& spans,
                 const Heads& heads);
/// Bytes of the keys and values that a row sees of those from `first` to before `end`.
uint64_t seen_bytes(const gpu::Tensor& kv, const Heads& heads, const Scores& scores,
                    uint32_t n_keys, uint32_t first, uint32_t end);
/// Bytes of the spans that a row sees.
uint64_t spans_bytes(const Heads& heads, const Scores& scores, uint32_t n_keys);

/// Normalises (where the model does that) and rotates the row's queries and its key, appends key
/// and value if this slab holds its position, and attends to the slab's keys.   Kernels:
/// kernels/attention_split.wgsl, or kernels/attention_split_lanes.wgsl, as `sharing` says, or
/// sharing_on().
///
///   kv          the slab [n_pages, page]
///   spans       f32 [n_spans of the context, n_heads, span_dim]
///   n_keys      that the row sees when recorded, for the count of bytes alone
///   first, end  positions that the slab holds, first a multiple of kSpan
void attention_split(gpu::Encoder& enc, const SplitRow& row, const gpu::Tensor& kv,
                     const gpu::Tensor& spans, const Scores& scores, uint32_t n_keys,
                     uint32_t first, uint32_t end, std::optional<Sharing> sharing = {});

/// What all spans that the row sees found together, as the next matrix's input.   Kernel:
/// kernels/attention_combine.wgsl
///
///   next  of n_heads * head_dim values, head_dim % 8 == 0
void attention_combine(gpu::Encoder& enc, const gpu::Tensor& positions, const gpu::Tensor& spans,
                       const Heads& heads, const Scores& scores, uint32_t n_keys, Input& next);

}  // namespace handloom::ops
