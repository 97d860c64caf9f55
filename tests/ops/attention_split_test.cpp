// attention_split, which has two kernels, and attention_combine, which only together are attention,
// against reference::qk_norm, reference::rope, reference::kv_append and reference::attention, one
// after the other. Pages lie in no order; what the row may not see is NaN, and so are the slot of
// its own key and the spans that no kernel wrote.
#include "ops/attention_split.h"
#include "checks/attention_data.h"
#include "checks/rope_data.h"
#include "reference/qk_norm.h"
#include "reference/rope.h"
#include "tests/ops/appended.h"
#include "tests/ops/inputs.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

constexpr float kEps = 1e-5f;

struct SplitCase {
  ops::Heads heads;
  uint32_t n_keys = 1;
  DType type = DType::f32;
  ops::Scores scores = usual(heads);
  ops::InputFormat next = ops::InputFormat::f32;
  std::vector<uint32_t> cuts = {0};  // where slabs begin
  uint32_t rope_dim = 0;             // 0: angles of 0, so that a rotation changes no bit
  bool norms = false;
};

std::string describe(const SplitCase& c) {
  return fmt::format("{} {} keys {} window {} softcap {} next {} slabs {} rope_dim {}{}",
                     handloom::to_string(c.type), test::describe(c.heads), c.n_keys,
                     c.scores.window, c.scores.softcap, to_string(c.next), c.cuts.size(),
                     c.rope_dim, c.norms ? " norms" : "");
}

constexpr uint32_t kSpare = 17;  // pages of a cache that the row does not reach

/// The keys and values that the row sees but for its own, in pages that lie in their order; the
/// rest is NaN.
Host make_kv(const SplitCase& c, std::span<const uint32_t> pages) {
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
Prepared prepared(const SplitCase& c, const Host& qkv, const Host& q_weight, const Host& k_weight) {
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

Host angles(const SplitCase& c) {
  if (c.rope_dim > 0) return make_cos_sin(make_inv_freq(c.rope_dim), c.n_keys);
  Host none({c.n_keys, 1, 2});
  for (uint32_t p = 0; p < c.n_keys; ++p) none.values[size_t{2} * p] = 1;
  return none;
}

/// One slab's pages, in the reverse of their order.
Host make_slab(const Host& kv, uint32_t first_page, uint32_t end_page) {
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
double largest_product(const Prepared& row, const SplitCase& c) {
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
void check_pages(const Case& where, const SplitCase& c, GpuRun& run,
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

/// What the two kernels leave.
struct Attended {
  std::vector<std::string> kernels;
  std::vector<uint32_t> words;
};

/// Runs both and compares with the reference.
Attended check_split(const SplitCase& c, const Features& features, ops::Sharing sharing) {
  const ops::Heads& heads = c.heads;
  const uint32_t dim = heads.n_heads * heads.head_dim;
  const uint32_t position = c.n_keys - 1;
  std::vector<uint32_t> pages((c.n_keys + 15) / 16 + kSpare);  // as the reference has them
  for (uint32_t i = 0; i < pages.size(); ++i) pages[i] = i;
  const Host qkv = ramp({1, heads.row_dim()}, 1);
  const Host q_weight = ramp({heads.head_dim}, 3), k_weight = ramp({heads.head_dim}, 4);
  Host kv = make_kv(c, pages);

  GpuRun run(features);
  const Shape spans_shape{ops::spans_of(16 * static_cast<uint32_t>(pages.size())), heads.n_heads,
                          ops::span_dim(heads.head_dim)};
  const gpu::Tensor spans =
      run.inout("spans", Host(spans_shape, std::vector<float>(spans_shape.count(), kNan)));
  const auto n_pages = static_cast<uint32_t>(pages.size());
  const auto end_of = [&](size_t s) {
    return s + 1 < c.cuts.size() ? c.cuts[s + 1] / 16 : n_pages;
  };
  std::vector<uint32_t> page_table;
  for (size_t s = 0; s < c.cuts.size(); ++s) {
    for (uint32_t i = c.cuts[s] / 16; i < end_of(s); ++i) page_table.push_back(end_of(s) - 1 - i);
  }
  const gpu::Tensor qkv_gpu = run.in("qkv", qkv), none;
  const gpu::Tensor positions = run.in("positions", std::vector<uint32_t>{position});
  const gpu::Tensor cos_sin = run.in("cos_sin", angles(c));
  const gpu::Tensor q_norm = c.norms ? run.in("q_weight", q_weight) : none;
  const gpu::Tensor k_norm = c.norms ? run.in("k_weight", k_weight) : none;
  const gpu::Tensor table = run.in("page_table", page_table);
  const ops::SplitRow row{.qkv = qkv_gpu,
                          .positions = positions,
                          .cos_sin = cos_sin,
                          .q_weight = q_norm,
                          .k_weight = k_norm,
                          .page_table = table,
                          .heads = heads,
                          .eps = kEps};
  std::vector<SlabOnGpu> slabs;
  for (size_t s = 0; s < c.cuts.size(); ++s) {
    SlabOnGpu slab{.before = make_slab(kv, c.cuts[s] / 16, end_of(s)), .pages = {}};
    slab.pages =
        run.inout("kv", pages_shape(slab.before, c.type), c.type, page_words(slab.before, c.type));
    ops::attention_split(run.encoder(), row, slab.pages, spans, c.scores, c.n_keys, c.cuts[s],
                         16 * end_of(s), sharing);
    slabs.push_back(std::move(slab));
  }
  ops::Input next = next_input(run, dim, c.next);
  ops::attention_combine(run.encoder(), positions, spans, heads, c.scores, c.n_keys, next);
  const auto ran = run.run();
  EXPECT_TRUE(ran) << describe(c);
  if (!ran) return {};

  const Case where{"attention_split", describe(c), run.kernels()[0]};
  const Prepared want = prepared(c, qkv, q_weight, k_weight);
  check_pages(where, c, run, slabs, page_table, want, kv);
  const auto reference_on = [&](const Host& cache) {
    return reference::attention(want.row, std::span(&position, 1), pages, cache, heads.n_heads,
                                heads.n_kv_heads, heads.head_dim,
                                {c.scores.scale, c.scores.window, c.scores.softcap});
  };
  // Queries are off as the row may be; the reference has the key as it was stored. exp comes in
  // with the key's distance to its span's maximum, and with that one's to the largest.
  const double largest = largest_product(want, c);
  const Tolerance tolerance{.roundings = attention_roundings(heads, largest, c.scores.softcap,
                                                             c.n_keys, 2, want.tolerance.roundings),
                            .magnitude = reference_on(with_value_magnitudes(kv))};
  EXPECT_TRUE(holds_input(where, run, next, reference_on(kv), tolerance));
  const auto words = run.words(next.words);
  return {.kernels = run.kernels(), .words = {words.begin(), words.end()}};
}

/// With either kernel. What both together ran, and what the last one left.
Attended check_split(const SplitCase& c, const Features& features) {
  Attended both;
  for (const ops::Sharing sharing : kSharings) {
    Attended one = check_split(c, features, sharing);
    both.kernels.insert(both.kernels.end(), one.kernels.begin(), one.kernels.end());
    both.words = std::move(one.words);
  }
  return both;
}

/// A model's heads: query heads for each KV head from one to more than a workgroup takes at once.
ops::Heads with_q_per_kv(uint32_t q_per_kv, uint32_t head_dim) {
  return {.n_heads = 2 * q_per_kv, .n_kv_heads = 2, .head_dim = head_dim};
}

TEST(AttentionSplit, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen, all = supported_variants("attention_split");
  all.merge(supported_variants("attention_split_lanes"));
  all.merge(supported_variants("attention_combine"));
  for (const Features& features : feature_sets()) {
    for (const DType type : kKvTypes) {
      for (const uint32_t q_per_kv : {1, 2, 3, 4, 8}) {
        for (const uint32_t n_keys : {1, 65, 200}) {
          SplitCase c{.heads = with_q_per_kv(q_per_kv, 32), .n_keys = n_keys, .type = type};
          c.rope_dim = 32;
          c.norms = q_per_kv == 2 || q_per_kv > 3;
          for (const std::string& kernel : check_split(c, features).kernels) seen.insert(kernel);
        }
      }
    }
  }
  EXPECT_EQ(seen, all);
}

TEST(AttentionSplit, MatchesTheReferenceForEveryHeadDim) {
  for (const DType type : kKvTypes) {
    for (const uint32_t head_dim : {8, 32, 64, 80, 96, 128, 256}) {
      for (const uint32_t n_keys : {63, 200}) {
        SplitCase c{.heads = with_q_per_kv(3, head_dim), .n_keys = n_keys, .type = type};
        c.rope_dim = head_dim;
        c.norms = type == DType::f16;
        check_split(c, device().adapter().features);
      }
    }
  }
}

TEST(AttentionSplit, TurnsOnlyTheFirstRopeDimOfAHead) {
  for (const uint32_t rope_dim : {2, 32, 78}) {
    for (const bool norms : {false, true}) {
      SplitCase c{.heads = with_q_per_kv(2, 80), .n_keys = 70};
      c.rope_dim = rope_dim;
      c.norms = norms;
      check_split(c, device().adapter().features);
    }
  }
}

TEST(AttentionSplit, MatchesTheReferenceForAnyContext) {
  for (const Features& features : feature_sets()) {
    for (const uint32_t n_keys : {1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 200, 1000}) {
      check_split({.heads = with_q_per_kv(4, 64), .n_keys = n_keys, .type = DType::f16}, features);
    }
  }
}

TEST(AttentionSplit, CombinesMoreSpansThanAWorkgroupHasLanes) {
  // 270 spans; a workgroup has 256 lanes.
  const ops::Heads heads{.n_heads = 1, .n_kv_heads = 1, .head_dim = 8};
  for (const Features& features : feature_sets()) {
    check_split({.heads = heads, .n_keys = 270 * ops::kSpan - 1}, features);
  }
}

TEST(AttentionSplit, AWindowHidesAllButTheLastKeys) {
  for (const Features& features : feature_sets()) {
    for (const DType type : kKvTypes) {
      for (const uint32_t window : {1u, 16u, 63u, 64u, 65u, 199u, 200u, 4'000'000'000u}) {
        SplitCase c{.heads = with_q_per_kv(2, 32), .n_keys = 200, .type = type};
        c.scores.window = window;
        check_split(c, features);
      }
    }
  }
}

TEST(AttentionSplit, CapsTheScores) {
  // Few dimensions, so that the bound is tight.
  for (const Features& features : feature_sets()) {
    for (const DType type : kKvTypes) {
      for (const float softcap : {0.5f, 5.0f, 50.0f}) {
        for (const uint32_t window : {0, 100}) {
          check_split({.heads = with_q_per_kv(2, 8),
                       .n_keys = 200,
                       .type = type,
                       .scores = {.scale = 2, .window = window, .softcap = softcap}},
                      features);
        }
      }
    }
  }
}

TEST(AttentionSplit, ScoresOfHundredsNeitherOverflowNorVanish) {
  for (const Features& features : feature_sets()) {
    check_split({.heads = with_q_per_kv(2, 64), .n_keys = 200, .scores = {.scale = 20}}, features);
  }
}

TEST(AttentionSplit, LeavesAnInputInEveryFormat) {
  for (const Features& features : feature_sets()) {
    for (const ops::InputFormat next : kInputFormats) {
      for (const uint32_t head_dim : {80, 96}) {
        check_split({.heads = with_q_per_kv(2, head_dim), .n_keys = 65, .next = next}, features);
      }
    }
  }
}

TEST(AttentionSplit, IsTheSameBitsWhereverACacheIsCut) {
  const std::vector<uint32_t> all_cuts[] = {{0, 256}, {0, 768}, {0, 64, 128}, {0, 256, 512, 768}};
  for (const Features& features : feature_sets()) {
    for (const DType type : kKvTypes) {
      for (const uint32_t window : {0, 600}) {
        SplitCase c{.heads = with_q_per_kv(3, 32), .n_keys = 1000, .type = type};
        c.scores.window = window;
        for (const ops::Sharing sharing : kSharings) {
          c.cuts = {0};
          const std::vector<uint32_t> whole = check_split(c, features, sharing).words;
          for (const std::vector<uint32_t>& cuts : all_cuts) {
            c.cuts = cuts;
            EXPECT_EQ(check_split(c, features, sharing).words, whole) << describe(c);
          }
        }
      }
    }
  }
}

TEST(AttentionSplit, RefusesWrongShapes) {
  struct Given {
    ops::Heads heads = {.n_heads = 4, .n_kv_heads = 2, .head_dim = 8};
    Shape qkv = {1, 64}, kv = {3, 4, 16, 8}, spans = {2, 4, 12}, k_weight = {8};
    uint32_t half_dim = 4, first = 0, end = 48;
  };
  const auto message = [](const Given& g) {
    return refusal([&](gpu::Encoder& enc) {
      const gpu::Tensor qkv = f32(g.qkv, "qkv"), cos_sin = f32({9, g.half_dim, 2}, "cos_sin");
      const gpu::Tensor q_weight = f32({g.heads.head_dim}, "q_norm");
      const gpu::Tensor k_weight = f32(g.k_weight, "k_norm");
      const gpu::Tensor positions = u32({1}, "positions"), table = u32({3}, "page_table");
      ops::attention_split(enc,
                           {.qkv = qkv,
                            .positions = positions,
                            .cos_sin = cos_sin,
                            .q_weight = q_weight,
                            .k_weight = k_weight,
                            .page_table = table,
                            .heads = g.heads},
                           f32(g.kv, "kv"), f32(g.spans, "spans"), {}, 1, g.first, g.end);
    });
  };
  EXPECT_EQ(message({}), "");
  EXPECT_EQ(message({.qkv = {2, 64}}),
            "attention_split: qkv 'qkv' has shape [2, 64], expected [1, 64]");
  EXPECT_EQ(message({.spans = {2, 4, 8}}),
            "attention_split: spans 'spans' has shape [2, 4, 8], expected [2, 4, 12]");
  EXPECT_EQ(message({.kv = {3, 4, 16, 4}}),
            "attention_split: kv 'kv' has shape [3, 4, 16, 4], expected [3, 4, 16, 8]");
  EXPECT_EQ(message({.half_dim = 5}), "attention_split: rope_dim is 10, expected at most 8");
  EXPECT_EQ(message({.k_weight = {4}}),
            "attention_split: weight 'k_norm' has shape [4], expected [8]");
  EXPECT_EQ(message({.first = 16}), "attention_split: first is 16, expected a multiple of 64");
  EXPECT_EQ(message({.end = 65}), "attention_split: the slab's end is 3, expected at most 2");
  EXPECT_EQ(message({.heads = {.n_heads = 3, .n_kv_heads = 2, .head_dim = 8},
                     .qkv = {1, 56},
                     .spans = {2, 3, 12}}),
            "attention_split: n_heads is 3, expected a multiple of 2");
  EXPECT_EQ(message({.heads = {.n_heads = 1, .n_kv_heads = 1, .head_dim = 260},
                     .qkv = {1, 780},
                     .kv = {3, 2, 16, 260},
                     .spans = {2, 1, 264},
                     .k_weight = {260}}),
            "attention_split: head_dim is 260, expected at most 256");
}

TEST(AttentionCombine, RefusesWrongShapes) {
  const auto message = [](const ops::Heads& heads, uint32_t next_dim, ops::InputFormat format) {
    return refusal([&](gpu::Encoder& enc) {
      ops::Input next{.words = u32({64}, "next"), .dim = next_dim, .format = format};
      ops::attention_combine(enc, u32({1}, "positions"),
                             f32({2, heads.n_heads, ops::span_dim(heads.head_dim)}, "spans"), heads,
                             {}, 1, next);
    });
  };
  const ops::Heads two{.n_heads = 2, .n_kv_heads = 1, .head_dim = 8};
  EXPECT_EQ(message(two, 32, ops::InputFormat::f32),
            "attention_combine: the next input has 32 values, expected 16");
  EXPECT_EQ(message(two, 16, ops::InputFormat::int8_for_nibbles),
            "attention_combine: the next input's dim is 16, expected a multiple of 32");
  EXPECT_EQ(message({.n_heads = 2, .n_kv_heads = 1, .head_dim = 12}, 24, ops::InputFormat::f32),
            "attention_combine: head_dim is 12, expected a multiple of 8");
}

}  // namespace
}  // namespace handloom::test
