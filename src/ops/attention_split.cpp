#include "ops/attention_split.h"

#include "ops/check.h"

#include <algorithm>
#include <bit>

namespace handloom::ops {
namespace {

uint32_t first_seen(const Scores& scores, uint32_t n_keys) {
  return scores.window > 0 && n_keys > scores.window ? n_keys - scores.window : 0;
}

/// Four lanes share a key on a GPU; a software adapter has no lanes to share.
uint32_t split_workgroup(const gpu::Encoder& enc) { return is_software(enc) ? 64 : 256; }

/// Query heads that a workgroup takes at once: as many as share a KV head, up to four, of large
/// ones up to two, for which workgroup memory suffices. While a GPU would have few workgroups,
/// fewer heads: a span that several ask for comes from its cache.
uint32_t heads_per_pass(const gpu::Encoder& enc, const Heads& heads, uint32_t n_spans) {
  constexpr uint32_t kEnoughWorkgroups = 256;
  const uint32_t q_per_kv = heads.n_heads / heads.n_kv_heads;
  uint32_t n = q_per_kv >= 3 && heads.head_dim <= 128 ? 4 : std::min(q_per_kv, 2u);
  if (is_software(enc)) return n;
  while (n > 1 && heads.n_kv_heads * ceil_div(q_per_kv, n) * n_spans < kEnoughWorkgroups) n /= 2;
  return n;
}

/// Loads of a lane that are under way together, of `n` that it has: a GPU waits for them, a
/// software adapter does not, but compiles each.
double at_once(const gpu::Encoder& enc, uint32_t n) {
  return is_software(enc) ? 1 : std::min(n, 8u);
}

/// A lane for each four values of a head, and on a GPU many more, which share the spans.
uint32_t combine_workgroup(const gpu::Encoder& enc, const Heads& heads) {
  return is_software(enc) ? std::max(8u, std::bit_ceil(heads.head_dim / 4)) : 256;
}

}  // namespace

bool check_spans(gpu::Encoder& enc, std::string_view op, const gpu::Tensor& spans,
                 const Heads& heads) {
  return check_shape(enc, op, "spans", spans,
                     {spans.dim(0), heads.n_heads, span_dim(heads.head_dim)});
}

uint64_t spans_bytes(const Heads& heads, const Scores& scores, uint32_t n_keys) {
  const uint32_t n_spans = spans_of(n_keys - 1) - first_seen(scores, n_keys) / kSpan;
  return uint64_t{4} * n_spans * heads.n_heads * span_dim(heads.head_dim);
}

void attention_split(gpu::Encoder& enc, const SplitRow& row, const gpu::Tensor& kv,
                     const gpu::Tensor& spans, const Scores& scores, uint32_t n_keys,
                     uint32_t first, uint32_t end) {
  const Heads& heads = row.heads;
  const uint32_t half_dim = row.cos_sin.dim(1);
  const bool norms = row.q_weight.buffer != nullptr;
  if (!check_shape(enc, "attention_split", "qkv", row.qkv, {1, heads.row_dim()})) return;
  if (!check_shape(enc, "attention_split", "positions", row.positions, {1})) return;
  if (!check_spans(enc, "attention_split", spans, heads)) return;
  if (!check_kv_shape(enc, "attention_split", kv, heads)) return;
  if (!check_most(enc, "attention_split", "rope_dim", 2 * half_dim, heads.head_dim)) return;
  if (!check_multiple(enc, "attention_split", "head_dim", heads.head_dim, 4)) return;
  if (!check_most(enc, "attention_split", "head_dim", heads.head_dim, 256)) return;
  if (!check_multiple(enc, "attention_split", "n_heads", heads.n_heads, heads.n_kv_heads)) return;
  if (!check_multiple(enc, "attention_split", "first", first, kSpan)) return;
  for (const gpu::Tensor* weight : {&row.q_weight, &row.k_weight}) {
    if (norms && !check_shape(enc, "attention_split", "weight", *weight, {heads.head_dim})) return;
  }
  if (!check_most(enc, "attention_split", "the slab's end", spans_of(end), spans.dim(0))) return;

  const uint32_t q_per_kv = heads.n_heads / heads.n_kv_heads, head_dim4 = heads.head_dim / 4;
  const uint32_t lanes_per_key = split_workgroup(enc) / kSpan;
  const uint32_t value_lanes = split_workgroup(enc) / head_dim4;  // that share a dimension's values
  const uint32_t n_spans = spans_of(end - first);
  const uint32_t per_pass = heads_per_pass(enc, heads, n_spans - 1);
  const uint32_t seen_from = std::max(first_seen(scores, n_keys), first);
  const uint32_t seen_to = std::min(n_keys, end);
  const uint64_t n_seen = seen_to > seen_from ? seen_to - seen_from : 0;
  const auto rounds = [&](uint32_t n_heads) -> double {
    return team_rounds(enc, reduce_variant(enc), split_workgroup(enc), n_heads);
  };
  enc.dispatch({
      .kernel = kernels::attention_split(kv_variant(kv), reduce_variant(enc)),
      .bindings = {row.qkv, row.positions, row.cos_sin, norms ? row.q_weight : row.cos_sin,
                   norms ? row.k_weight : row.cos_sin, row.page_table, kv, spans},
      .params = kernels::AttentionSplitParams{.scale = scores.scale,
                                              .window = scores.window,
                                              .softcap = scores.softcap,
                                              .first = first,
                                              .end = end,
                                              .eps = row.eps},
      .constants = {{"workgroup_size", static_cast<double>(split_workgroup(enc))},
                    {"n_heads", static_cast<double>(heads.n_heads)},
                    {"n_kv_heads", static_cast<double>(heads.n_kv_heads)},
                    {"heads_per_pass", static_cast<double>(per_pass)},
                    {"head_dim4", static_cast<double>(head_dim4)},
                    {"half_dim", static_cast<double>(half_dim)},
                    {"keys_at_once", at_once(enc, ceil_div(head_dim4, lanes_per_key))},
                    {"values_at_once", at_once(enc, ceil_div(kSpan, value_lanes))},
                    {"norm_rounds", norms ? rounds(per_pass + 1) : 0},
                    {"rounds", rounds(per_pass)}},
      .workgroups = {heads.n_kv_heads * ceil_div(q_per_kv, per_pass), n_spans, 1},
      .bytes = n_seen * 2 * heads.n_kv_heads * kv.dim(3) * dtype_bytes(kv.dtype),
  });
}

void attention_combine(gpu::Encoder& enc, const gpu::Tensor& positions, const gpu::Tensor& spans,
                       const Heads& heads, const Scores& scores, uint32_t n_keys, Input& next) {
  const uint32_t dim = heads.n_heads * heads.head_dim;
  if (!check_spans(enc, "attention_combine", spans, heads)) return;
  if (!check_multiple(enc, "attention_combine", "head_dim", heads.head_dim, 8)) return;
  if (!check_next(enc, "attention_combine", next, dim)) return;
  enc.dispatch({
      .kernel = kernels::attention_combine(),
      .bindings = {positions, spans, next.words},
      .params = kernels::AttentionCombineParams{.window = scores.window, .next_dim = dim},
      .constants = {{"workgroup_size", static_cast<double>(combine_workgroup(enc, heads))},
                    {"n_heads", static_cast<double>(heads.n_heads)},
                    {"head_dim4", static_cast<double>(heads.head_dim / 4)},
                    next_format(next)},
      .workgroups = {heads.n_heads, 1, 1},
      .bytes = spans_bytes(heads, scores, n_keys) + 4 * dim,
  });
  next.n_sums = 0;
}

}  // namespace handloom::ops
