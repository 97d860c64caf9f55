// Decode attention of one row over a cache: on the GPU, and by reference::qk_norm, reference::rope,
// reference::kv_append and reference::attention, one after the other. Pages lie in no order; what
// the row may not see is NaN, and so is the slot of its own key.
#pragma once

#include "checks/attention_data.h"
#include "checks/rope_data.h"
#include "ops/attention_split.h"
#include "reference/qk_norm.h"
#include "reference/rope.h"
#include "tests/ops/appended.h"
#include "tests/ops/inputs.h"

namespace handloom::test {

inline constexpr float kEps = 1e-5f;

struct RowCase {
  ops::Heads heads;
  uint32_t n_keys = 1;
  DType type = DType::f32;
  ops::Scores scores = usual(heads);
  ops::InputFormat next = ops::InputFormat::f32;
  std::vector<uint32_t> cuts = {0};  // where slabs begin
  uint32_t rope_dim = 0;             // 0: angles of 0, so that a rotation changes no bit
  bool norms = false;
};

inline std::string describe(const RowCase& c) {
  return fmt::format("{} {} keys {} window {} softcap {} next {} slabs {} rope_dim {}{}",
                     handloom::to_string(c.type), checks::describe(c.heads), c.n_keys,
                     c.scores.window, c.scores.softcap, to_string(c.next), c.cuts.size(),
                     c.rope_dim, c.norms ? " norms" : "");
}

inline constexpr uint32_t kSpare = 17;  // pages of a cache that the row does not reach

/// The keys and values that the row sees but for its own, in pages that lie in their order; the
/// rest is NaN.
inline Host make_kv(const RowCase& c, std::span<const uint32_t> pages) {
  Host kv =
      reference::make_kv(static_cast<uint32_t>(pages.size()), c.heads.n_kv_heads, c.heads.head_dim);
  std::ranges::fill(kv.values, kNan);
  const uint32_t window = c.scores.window;
  const uint32_t first = window > 0 && c.n_keys > window ? c.n_keys - window : 0;
  std::vector<uint32_t> seen(c.n_keys - 1 - first);
  for (uint32_t i = 0; i < seen.size(); ++i) seen[i] = first + i;
  if (seen.empty()) return kv;
  reference::kv_append(ramp({c.n_keys - 1 - first, c.heads.row_dim()}, 2), seen, pages, kv, c.type);
  return kv;
}

/// The row as attention and the cache want it, and what bounds its error.
struct Prepared {
  Host row;
  Tolerance tolerance;
};

/// Values pass as they are. Queries and keys: the norm's roundings, as qk_norm_test derives them,
/// and a rotation's, relative to the length of the pair; without a rotation, of the value itself.
inline Prepared prepared(const RowCase& c, const Host& qkv, const Host& q_weight,
                         const Host& k_weight) {
  const ops::Heads& heads = c.heads;
  Prepared p{.row = qkv, .tolerance = {}};
  double norm = 0;
  if (c.norms) {
    reference::qk_norm(p.row, q_weight, k_weight, heads.n_heads, heads.n_kv_heads, heads.head_dim,
                       kEps);
    norm = heads.head_dim / 2.0 + kDivision / 2 + 0.5 + kInverseSqrt + 2 + 1;
  }
  p.tolerance = {.roundings = norm + (c.rope_dim > 0 ? kRotation : 0),
                 .magnitude = pair_lengths(p.row, heads, c.rope_dim / 2)};
  const uint32_t n_rotated = (heads.n_heads + heads.n_kv_heads) * heads.head_dim;
  for (uint32_t i = 0; norm > 0 && i < n_rotated; ++i) {
    float& magnitude = p.tolerance.magnitude.values[i];
    magnitude = std::max(magnitude, std::abs(p.row.values[i]));
  }
  if (c.rope_dim > 0) {
    const uint32_t position = c.n_keys - 1;
    reference::rope(p.row, std::span(&position, 1), make_inv_freq(c.rope_dim),
                    heads.n_heads + heads.n_kv_heads, heads.head_dim);
  }
  return p;
}

inline Host angles(const RowCase& c) {
  if (c.rope_dim > 0) return make_cos_sin(make_inv_freq(c.rope_dim), c.n_keys);
  Host none({c.n_keys, 1, 2});
  for (uint32_t p = 0; p < c.n_keys; ++p) none.values[size_t{2} * p] = 1;
  return none;
}

/// One slab's pages, in the reverse of their order.
inline Host make_slab(const Host& kv, uint32_t first_page, uint32_t end_page) {
  const size_t page = kv.values.size() / kv.dim(0);
  Host slab({end_page - first_page, kv.dim(1), kv.dim(2), kv.dim(3)});
  for (uint32_t i = first_page; i < end_page; ++i) {
    std::copy_n(kv.values.begin() + i * page, page,
                slab.values.begin() + (end_page - 1 - i) * page);
  }
  return slab;
}

/// A bound of scale * sum |q k|: a key before the row's own has values of at most 1, and no value
/// of the row is larger than what bounds its error, or than it is itself.
inline double largest_product(const Prepared& row, const RowCase& c) {
  float q = 0, k = 1;
  const size_t n_queries = size_t{c.heads.n_heads} * c.heads.head_dim;
  for (size_t i = 0; i < row.row.values.size(); ++i) {
    float& largest = i < n_queries ? q : k;
    largest = std::max({largest, std::abs(row.row.values[i]), row.tolerance.magnitude.values[i]});
  }
  return double{c.scores.scale} * q * k * c.heads.head_dim;
}

/// A slab on the GPU, and what was in it before.
struct SlabOnGpu {
  Host before;
  gpu::Tensor pages;
};

/// That the slab which holds the row's position holds the row, which `kv` gets as it was stored,
/// and that the others are as they were.
inline void check_pages(const Case& where, const RowCase& c, GpuRun& run,
                        const std::vector<SlabOnGpu>& slabs, std::span<const uint32_t> page_table,
                        const Prepared& row, Host& kv) {
  const uint32_t position = c.n_keys - 1;
  for (size_t s = 0; s < slabs.size(); ++s) {
    const auto words = run.words(slabs[s].pages);
    const bool is_here =
        position >= c.cuts[s] && (s + 1 == slabs.size() || position < c.cuts[s + 1]);
    if (!is_here) {
      EXPECT_TRUE(std::ranges::equal(words, page_words(slabs[s].before, c.type))) << where.shape;
      continue;
    }
    EXPECT_TRUE(holds_row(where, words, c.type,
                          {.kv = slabs[s].before,
                           .page_table = page_table,
                           .position = position,
                           .row = row.row,
                           .tolerance = row.tolerance}));
    for (uint32_t h = 0; h < kv.dim(1); ++h) {
      const size_t in_slab = reference::kv_row(slabs[s].before, page_table, h, position);
      const size_t in_kv = (size_t{position / 16} * kv.dim(1) + h) * 16 + position % 16;
      for (uint32_t i = 0; i < kv.dim(3); ++i) {
        const PageValue stored(slabs[s].before, words, c.type, in_slab, i, 0);
        kv.row(in_kv)[i] = static_cast<float>(stored.value);
      }
    }
  }
}

/// A case's cache and row, in a run that the test adds its dispatches to.
class RowRun {
 public:
  /// qkv: the row as it was projected, [1, row_dim]
  RowRun(const RowCase& c, const Features& features, const Host& qkv)
      : run(features), case_(c), pages_((c.n_keys + 15) / 16 + kSpare) {
    for (uint32_t i = 0; i < pages_.size(); ++i) pages_[i] = i;
    kv_ = make_kv(c, pages_);
    for (size_t s = 0; s < c.cuts.size(); ++s) {
      for (uint32_t i = c.cuts[s] / 16; i < end_of(s); ++i) {
        page_table_.push_back(end_of(s) - 1 - i);
      }
      SlabOnGpu slab{.before = make_slab(kv_, c.cuts[s] / 16, end_of(s)), .pages = {}};
      slab.pages = run.inout("kv", pages_shape(slab.before, c.type), c.type,
                             page_words(slab.before, c.type));
      slabs_.push_back(std::move(slab));
    }
    qkv_ = run.in("qkv", qkv);
    positions_ = run.in("positions", std::vector<uint32_t>{c.n_keys - 1});
    cos_sin_ = run.in("cos_sin", angles(c));
    if (c.norms) {
      q_norm_ = run.in("q_weight", q_weight());
      k_norm_ = run.in("k_weight", k_weight());
    }
    table_ = run.in("page_table", page_table_);
  }

  ops::SplitRow row(float eps = kEps) const {
    return {.qkv = qkv_,
            .positions = positions_,
            .cos_sin = cos_sin_,
            .q_weight = q_norm_,
            .k_weight = k_norm_,
            .page_table = table_,
            .heads = case_.heads,
            .eps = eps};
  }
  Host q_weight() const { return ramp({case_.heads.head_dim}, 3); }
  Host k_weight() const { return ramp({case_.heads.head_dim}, 4); }
  uint32_t n_pages() const { return static_cast<uint32_t>(pages_.size()); }
  /// Slab number `s`: its pages, and the positions from cuts[s] to before end().
  const gpu::Tensor& slab(size_t s) const { return slabs_[s].pages; }
  uint32_t end(size_t s) const { return 16 * end_of(s); }

  /// That the pages hold the row, and `next` what it attended to.   qkv: what it was before its
  /// norms and its rotation, `error` what bounds the error of that; n_exps: how often exp comes in
  /// for a key
  void check(const Case& where, const ops::Input& next, const Host& qkv, double n_exps,
             const Tolerance& error = {}) {
    Prepared want = prepared(case_, qkv, q_weight(), k_weight());
    if (error.roundings > 0) want.tolerance = error;
    check_pages(where, case_, run, slabs_, page_table_, want, kv_);
    const ops::Heads& heads = case_.heads;
    const ops::Scores& scores = case_.scores;
    const uint32_t position = case_.n_keys - 1;
    const auto reference_on = [&](const Host& cache) {
      return reference::attention(want.row, std::span(&position, 1), pages_, cache, heads.n_heads,
                                  heads.n_kv_heads, heads.head_dim,
                                  {scores.scale, scores.window, scores.softcap});
    };
    // Queries are off as the row may be; the reference has the key as it was stored.
    const double largest = largest_product(want, case_);
    const Tolerance tolerance{
        .roundings = attention_roundings(heads, largest, scores.softcap, case_.n_keys, n_exps,
                                         want.tolerance.roundings),
        .magnitude = reference_on(with_value_magnitudes(kv_))};
    EXPECT_TRUE(holds_input(where, run, next, reference_on(kv_), tolerance));
  }

  GpuRun run;

 private:
  uint32_t end_of(size_t s) const {
    return s + 1 < case_.cuts.size() ? case_.cuts[s + 1] / 16 : n_pages();
  }

  RowCase case_;
  std::vector<uint32_t> pages_, page_table_;  // as the reference has them, as the GPU has
  Host kv_;
  std::vector<SlabOnGpu> slabs_;
  gpu::Tensor qkv_, positions_, cos_sin_, q_norm_, k_norm_, table_;
};

/// A model's heads: query heads for each KV head from one to more than a workgroup takes at once.
inline ops::Heads with_q_per_kv(uint32_t q_per_kv, uint32_t head_dim) {
  return {.n_heads = 2 * q_per_kv, .n_kv_heads = 2, .head_dim = head_dim};
}

}  // namespace handloom::test
