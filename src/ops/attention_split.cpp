#include "ops/attention_split.h"

#include "ops/check.h"

#include <algorithm>
#include <bit>

namespace handloom::ops {
namespace {

uint32_t first_seen(const Scores& scores, uint32_t n_keys) {
  return scores.window > 0 && n_keys > scores.window ? n_keys - scores.window : 0;
}

constexpr uint32_t kWorkgroup = 256;  // of attention_split.wgsl: four lanes share a key

/// Query heads that a workgroup takes at once: as many as share a KV head, up to four, of large
/// ones up to two, for which workgroup memory suffices. While a GPU would have few workgroups,
/// fewer heads: a span that several ask for comes from its cache.
uint32_t heads_per_pass(const Heads& heads, uint32_t n_spans) {
  constexpr uint32_t kEnoughWorkgroups = 256;
  const uint32_t q_per_kv = heads.n_heads / heads.n_kv_heads;
  uint32_t n = q_per_kv >= 3 && heads.head_dim <= 128 ? 4 : std::min(q_per_kv, 2u);
  while (n > 1 && heads.n_kv_heads * ceil_div(q_per_kv, n) * n_spans < kEnoughWorkgroups) n /= 2;
  return n;
}

/// Loads of a lane that are under way together, of `n` that it has.
double at_once(uint32_t n) { return std::min(n, 8u); }

/// The parameters that both kernels have.
template <class Params>
Params params_of(const SplitRow& row, const Scores& scores, uint32_t first, uint32_t end) {
  return {.scale = scores.scale,
          .window = scores.window,
          .softcap = scores.softcap,
          .first = first,
          .end = end,
          .eps = row.eps};
}

std::vector<gpu::Constant> workgroup_constants(const gpu::Encoder& enc, const SplitRow& row,
                                               uint32_t n_in_pass) {
  const uint32_t head_dim4 = row.heads.head_dim / 4;
  const uint32_t value_lanes = kWorkgroup / head_dim4;  // that share a dimension's values
  const auto rounds = [&](uint32_t n_heads) -> double {
    return team_rounds(enc, reduce_variant(enc), kWorkgroup, n_heads);
  };
  return {{"workgroup_size", static_cast<double>(kWorkgroup)},
          {"n_heads", static_cast<double>(row.heads.n_heads)},
          {"n_kv_heads", static_cast<double>(row.heads.n_kv_heads)},
          {"heads_per_pass", static_cast<double>(n_in_pass)},
          {"head_dim4", static_cast<double>(head_dim4)},
          {"half_dim", static_cast<double>(row.cos_sin.dim(1))},
          {"keys_at_once", at_once(ceil_div(head_dim4, kWorkgroup / kSpan))},
          {"values_at_once", at_once(ceil_div(kSpan, value_lanes))},
          {"norm_rounds", row.has_norms() ? rounds(n_in_pass + 1) : 0},
          {"rounds", rounds(n_in_pass)}};
}

/// A lane for each four values of a head, and on a GPU many more, which share the spans.
uint32_t combine_workgroup(const gpu::Encoder& enc, const Heads& heads) {
  return is_software(enc) ? std::max(8u, std::bit_ceil(heads.head_dim / 4)) : 256;
}

}  // namespace

bool check_row(gpu::Encoder& enc, std::string_view op, const SplitRow& row) {
  const Heads& heads = row.heads;
  if (!check_shape(enc, op, "positions", row.positions, {1})) return false;
  if (!check_most(enc, op, "rope_dim", 2 * row.cos_sin.dim(1), heads.head_dim)) return false;
  if (!check_multiple(enc, op, "head_dim", heads.head_dim, 4)) return false;
  if (!check_most(enc, op, "head_dim", heads.head_dim, 256)) return false;
  if (!check_multiple(enc, op, "n_heads", heads.n_heads, heads.n_kv_heads)) return false;
  for (const gpu::Tensor* weight : {&row.q_weight, &row.k_weight}) {
    if (row.has_norms() && !check_shape(enc, op, "weight", *weight, {heads.head_dim})) return false;
  }
  return true;
}

bool check_spans(gpu::Encoder& enc, std::string_view op, const gpu::Tensor& spans,
                 const Heads& heads) {
  return check_shape(enc, op, "spans", spans,
                     {spans.dim(0), heads.n_heads, span_dim(heads.head_dim)});
}

uint64_t seen_bytes(const gpu::Tensor& kv, const Heads& heads, const Scores& scores,
                    uint32_t n_keys, uint32_t first, uint32_t end) {
  const uint32_t from = std::max(first_seen(scores, n_keys), first);
  const uint32_t to = std::min(n_keys, end);
  const uint64_t n_seen = to > from ? to - from : 0;
  return n_seen * 2 * heads.n_kv_heads * kv.dim(3) * dtype_bytes(kv.dtype);
}

uint64_t spans_bytes(const Heads& heads, const Scores& scores, uint32_t n_keys) {
  const uint32_t n_spans = spans_of(n_keys - 1) - first_seen(scores, n_keys) / kSpan;
  return uint64_t{4} * n_spans * heads.n_heads * span_dim(heads.head_dim);
}

void attention_split(gpu::Encoder& enc, const SplitRow& row, const gpu::Tensor& kv,
                     const gpu::Tensor& spans, const Scores& scores, uint32_t n_keys,
                     uint32_t first, uint32_t end, std::optional<Sharing> sharing) {
  const Heads& heads = row.heads;
  const bool norms = row.has_norms();
  if (!check_shape(enc, "attention_split", "qkv", row.qkv, {1, heads.row_dim()})) return;
  if (!check_spans(enc, "attention_split", spans, heads)) return;
  if (!check_kv_shape(enc, "attention_split", kv, heads)) return;
  if (!check_row(enc, "attention_split", row)) return;
  if (!check_multiple(enc, "attention_split", "first", first, kSpan)) return;
  if (!check_most(enc, "attention_split", "the slab's end", spans_of(end), spans.dim(0))) return;

  const gpu::Tensor& unused = row.cos_sin;
  const gpu::Bindings bindings = {row.qkv,
                                  row.positions,
                                  row.cos_sin,
                                  norms ? row.q_weight : unused,
                                  norms ? row.k_weight : unused,
                                  row.page_table,
                                  kv,
                                  spans};
  const uint64_t bytes = seen_bytes(kv, heads, scores, n_keys, first, end);
  const uint32_t n_spans = spans_of(end - first);
  if (sharing.value_or(sharing_on(enc)) == Sharing::lanes) {
    const uint32_t n_lanes = lanes_workgroup(enc);
    auto params = params_of<kernels::AttentionSplitLanesParams>(row, scores, first, end);
    params.n_heads = heads.n_heads;
    params.n_kv_heads = heads.n_kv_heads;
    params.head_dim4 = heads.head_dim / 4;
    params.half_dim = row.cos_sin.dim(1);
    params.norms = norms;
    enc.dispatch({
        .kernel = kernels::attention_split_lanes(kv_variant(kv)),
        .bindings = bindings,
        .params = params,
        .constants = {{"workgroup_size", static_cast<double>(n_lanes)}},
        .workgroups = {ceil_div(heads.n_heads, n_lanes), n_spans, 1},
        .bytes = bytes,
    });
  } else {
    const uint32_t n_in_pass = heads_per_pass(heads, n_spans - 1);
    enc.dispatch({
        .kernel = kernels::attention_split(kv_variant(kv), reduce_variant(enc)),
        .bindings = bindings,
        .params = params_of<kernels::AttentionSplitParams>(row, scores, first, end),
        .constants = workgroup_constants(enc, row, n_in_pass),
        .workgroups = {heads.n_kv_heads * ceil_div(heads.n_heads / heads.n_kv_heads, n_in_pass),
                       n_spans, 1},
        .bytes = bytes,
    });
  }
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
