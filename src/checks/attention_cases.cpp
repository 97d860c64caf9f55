// Cases of attention: whole rows, and one row in spans that are put together.
#include "checks/attention_data.h"
#include "checks/input_data.h"
#include "checks/kernel_cases.h"
#include "ops/attention_head.h"
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

/// One row at the end of a cache, which nothing rotates or norms.
struct LastRow {
  static constexpr uint32_t kPosition = kLongest - 1;
  static constexpr uint32_t kDim = kHeads.n_heads * kHeads.head_dim;

  LastRow(KernelRun& run, DType type)
      : qkv(ramp({1, kHeads.row_dim()}, 1)),
        kv(make_kv(kPosition, type)),
        pages(run.inout("kv", pages_shape(kv, type), type, page_words(kv, type))),
        qkv_on_gpu(run.in("qkv", qkv)),
        positions(run.in("positions", std::vector<uint32_t>{kPosition})),
        cos_sin(no_angles(run)),
        page_table(run.in("page_table", kPageTable)) {
    reference::kv_append(qkv, std::span(&kPosition, 1), kPageTable, kv, type);
  }

  ops::SplitRow row() const {
    return {.qkv = qkv_on_gpu,
            .positions = positions,
            .cos_sin = cos_sin,
            .q_weight = none,
            .k_weight = none,
            .page_table = page_table,
            .heads = kHeads};
  }
  /// That `next` holds what it attended to.
  std::vector<Expectation> expect(const ops::Input& next, double n_exps) const {
    Attended a = attended(qkv, std::span(&kPosition, 1), kv, n_exps);
    return {{next.words, std::move(a.want), std::move(a.tolerance), [](auto words) {
               return reference::read_input(words, kDim, reference::InputFormat::f32);
             }}};
  }

  Host qkv, kv;
  gpu::Tensor pages, qkv_on_gpu, positions, cos_sin, page_table, none;
};

std::vector<Expectation> split_and_combine(KernelRun& run, DType type, ops::Sharing sharing) {
  const LastRow last(run, type);
  const gpu::Tensor spans = unset(
      run, "spans", {ops::spans_of(16 * kPages), kHeads.n_heads, ops::span_dim(kHeads.head_dim)});
  ops::attention_split(run.encoder(), last.row(), last.pages, spans, usual(kHeads), kLongest, 0,
                       16 * static_cast<uint32_t>(kPageTable.size()), sharing);
  ops::Input next = next_input(run, LastRow::kDim, ops::InputFormat::f32);
  ops::attention_combine(run.encoder(), last.positions, spans, kHeads, usual(kHeads), kLongest,
                         next);
  // exp comes in with the key's distance to its span's maximum, and with that one's to the largest.
  return last.expect(next, 2);
}

/// The weight has ones on its diagonal, so that the row is the input.
std::vector<Expectation> head_by_head(KernelRun& run, DType type) {
  const LastRow last(run, type);
  Host ones({kHeads.row_dim(), kHeads.row_dim()});
  for (uint32_t i = 0; i < kHeads.row_dim(); ++i) ones.row(i)[i] = 1;
  const ops::Input input{
      .words = run.in("input", last.qkv), .dim = kHeads.row_dim(), .form = by_rule(run.encoder())};
  ops::Input next = next_input(run, LastRow::kDim, ops::InputFormat::f32);
  ops::attention_head(run.encoder(), input, run.in("weight", ones), {}, last.row(), last.pages,
                      usual(kHeads), kLongest, next);
  // exp comes in for a key's chunk, for each chunk of its part, and for the part.
  return last.expect(next, 2 + kLongest / 64.0);
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
    cases.push_back(
        {"attention_head", about, [type](KernelRun& run) { return head_by_head(run, type); }});
    cases.push_back({"attention_combine", "after the split, " + about, both});
  }
}

}  // namespace handloom::checks
