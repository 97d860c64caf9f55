// Cases of attention: whole rows, and one row in spans that are put together.
#include "checks/attention_data.h"
#include "checks/input_data.h"
#include "checks/kernel_cases.h"
#include "ops/attention_split.h"

#include <fmt/format.h>

namespace handloom::checks {
namespace {

constexpr ops::Heads kHeads = {.n_heads = 4, .n_kv_heads = 2, .head_dim = 64};

/// Keys and values of the positions before `n_keys`; the rest of the pages is NaN.
Host make_kv(uint32_t n_keys, DType type) {
  Host kv = reference::make_kv(kPages, kHeads.n_kv_heads, kHeads.head_dim);
  std::ranges::fill(kv.values, kNan);
  std::vector<uint32_t> positions(n_keys);
  for (uint32_t i = 0; i < n_keys; ++i) positions[i] = i;
  reference::kv_append(ramp({n_keys, kHeads.row_dim()}, 2), positions, kPageTable, kv, type);
  return kv;
}

gpu::Tensor on_gpu(KernelRun& run, const Host& kv, DType type) {
  return run.in("kv", pages_shape(kv, type), type, page_words(kv, type));
}

gpu::Tensor unset(KernelRun& run, std::string name, Shape shape) {
  return run.inout(std::move(name), Host(shape, std::vector<float>(shape.count(), kNan)));
}

/// What attention over `kv` must give, within what `n_exps` uses of exp for a key may cost.
struct Attended {
  Host want;
  Tolerance tolerance;
};

Attended attended(const Host& qkv, std::span<const uint32_t> positions, const Host& kv,
                  double n_exps) {
  const ops::Scores scores = usual(kHeads);
  const auto over = [&](const Host& pages) {
    return reference::attention(qkv, positions, kPageTable, pages, kHeads.n_heads,
                                kHeads.n_kv_heads, kHeads.head_dim, {.scale = scores.scale});
  };
  const uint32_t n_keys = *std::ranges::max_element(positions) + 1;
  const double largest = largest_score(qkv, kHeads, scores.scale);
  return {over(kv),
          {.roundings = attention_roundings(kHeads, largest, 0, n_keys, n_exps),
           .magnitude = over(with_value_magnitudes(kv))}};
}

/// Rows of their own positions each; the kernel is chosen by how many there are, and `sharing`.
std::vector<Expectation> attention(KernelRun& run, std::vector<uint32_t> positions, DType type,
                                   ops::Sharing sharing) {
  const auto rows = static_cast<uint32_t>(positions.size());
  const uint32_t n_keys = std::ranges::max(positions) + 1;
  const Host qkv = ramp({rows, kHeads.row_dim()}, 1), kv = make_kv(n_keys, type);
  const gpu::Tensor y = run.out("y", {rows, kHeads.n_heads * kHeads.head_dim});
  ops::attention(run.encoder(), run.in("qkv", qkv), run.in("positions", positions),
                 run.in("page_table", kPageTable), on_gpu(run, kv, type),
                 unset(run, "softmax", {rows, kHeads.n_heads, 2}), y, kHeads, usual(kHeads), n_keys,
                 {}, sharing);
  const double chunk = sharing == ops::Sharing::lanes ? 4 : 64;  // keys of one maximum
  Attended a = attended(qkv, positions, kv, std::ceil(n_keys / chunk) + 1);
  return {{y, std::move(a.want), std::move(a.tolerance)}};
}

/// Angles of 0: a rotation that changes no bit.
gpu::Tensor no_angles(KernelRun& run) {
  Host cos_sin({kLongest, 1, 2});
  for (uint32_t p = 0; p < kLongest; ++p) cos_sin.values[size_t{2} * p] = 1;
  return run.in("cos_sin", cos_sin);
}

std::vector<Expectation> split_and_combine(KernelRun& run, DType type, ops::Sharing sharing) {
  const uint32_t position = kLongest - 1, n_keys = kLongest;
  const Host qkv = ramp({1, kHeads.row_dim()}, 1), before = make_kv(n_keys - 1, type);
  Host kv = before;
  reference::kv_append(qkv, std::span(&position, 1), kPageTable, kv, type);
  const uint32_t n_spans = ops::spans_of(16 * kPages);
  const gpu::Tensor spans =
      unset(run, "spans", {n_spans, kHeads.n_heads, ops::span_dim(kHeads.head_dim)});
  const gpu::Tensor positions = run.in("positions", std::vector<uint32_t>{position});
  const gpu::Tensor qkv_gpu = run.in("qkv", qkv), cos_sin = no_angles(run), none;
  const gpu::Tensor page_table = run.in("page_table", kPageTable);
  const gpu::Tensor pages =
      run.inout("kv", pages_shape(before, type), type, page_words(before, type));
  ops::attention_split(run.encoder(),
                       {.qkv = qkv_gpu,
                        .positions = positions,
                        .cos_sin = cos_sin,
                        .q_weight = none,
                        .k_weight = none,
                        .page_table = page_table,
                        .heads = kHeads},
                       pages, spans, usual(kHeads), n_keys, 0,
                       16 * static_cast<uint32_t>(kPageTable.size()), sharing);
  const uint32_t dim = kHeads.n_heads * kHeads.head_dim;
  ops::Input next = next_input(run, dim, ops::InputFormat::f32);
  ops::attention_combine(run.encoder(), positions, spans, kHeads, usual(kHeads), n_keys, next);
  // exp comes in with the key's distance to its span's maximum, and with that one's to the largest.
  Attended a = attended(qkv, std::span(&position, 1), kv, 2);
  return {{next.words, std::move(a.want), std::move(a.tolerance), [dim](auto words) {
             return reference::read_input(words, dim, reference::InputFormat::f32);
           }}};
}

}  // namespace

void add_attention_cases(KernelCases& cases) {
  for (const DType type : {DType::f32, DType::f16, DType::i8}) {
    const std::string about =
        fmt::format("{}, pages {}", describe(kHeads), handloom::to_string(type));
    cases.push_back({"attention", "3 rows, " + about, [type](KernelRun& run) {
                       return attention(run, {64, 0, 129}, type, ops::Sharing::workgroups);
                     }});
    cases.push_back({"attention_prefill", "8 rows, " + about, [type](KernelRun& run) {
                       return attention(run, kPositions, type, ops::Sharing::workgroups);
                     }});
    cases.push_back({"attention_lanes", "8 rows, " + about, [type](KernelRun& run) {
                       return attention(run, kPositions, type, ops::Sharing::lanes);
                     }});
    const auto both = [type](KernelRun& run) {
      return split_and_combine(run, type, ops::Sharing::workgroups);
    };
    cases.push_back({"attention_split", "then combined, " + about, both});
    cases.push_back({"attention_split_lanes", "then combined, " + about, [type](KernelRun& run) {
                       return split_and_combine(run, type, ops::Sharing::lanes);
                     }});
    cases.push_back({"attention_combine", "after the split, " + about, both});
  }
}

}  // namespace handloom::checks
