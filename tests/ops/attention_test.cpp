// attention against reference::attention, over pages in no order and contexts around the borders
// of pages and of the kernel's chunks. What no row may see is NaN.
#include "ops/attention.h"
#include "checks/attention_data.h"
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

/// Keys and values of the positions from `first` to before `n_keys`; the rest of the pages is NaN.
Host make_kv(const ops::Heads& heads, uint32_t first, uint32_t n_keys, DType type) {
  Host kv({kPages, 2 * heads.n_kv_heads, reference::kPageSize, heads.head_dim},
          std::vector<float>(kPages * 2 * heads.n_kv_heads * 16 * heads.head_dim, kNan));
  std::vector<uint32_t> seen(n_keys - first);
  for (uint32_t i = 0; i < seen.size(); ++i) seen[i] = first + i;
  reference::kv_append(ramp({n_keys - first, heads.row_dim()}, 2), seen, kPageTable, kv, type);
  return kv;
}

/// The first key that any row sees.
uint32_t first_key(const std::vector<uint32_t>& positions, uint32_t window) {
  const uint32_t n_keys = std::ranges::min(positions) + 1;
  return window > 0 && n_keys > window ? n_keys - window : 0;
}

/// Once for the key and once for every later chunk that raises the maximum; a window may begin
/// within a chunk.
double n_exps(uint32_t n_keys, ops::Sharing sharing) {
  const double chunk = sharing == ops::Sharing::lanes ? 4 : 64;
  return std::ceil(n_keys / chunk) + 1;
}

/// What slabs leave each other. It begins as NaN: the first slab may not read it.
gpu::Tensor unset_softmax(GpuRun& run, uint32_t rows, const ops::Heads& heads) {
  const Shape shape = {rows, heads.n_heads, 2};
  return run.inout("softmax", Host(shape, std::vector<float>(shape.count(), kNan)));
}

std::string check_kernel(const ops::Heads& heads, const Host& qkv,
                         const std::vector<uint32_t>& positions, const ops::Scores& scores,
                         DType type, const Features& features, ops::Sharing sharing) {
  const uint32_t n_keys = std::ranges::max(positions) + 1;
  const Host kv = make_kv(heads, first_key(positions, scores.window), n_keys, type);
  const uint32_t rows = qkv.dim(0);
  GpuRun run(features);
  const gpu::Tensor y = run.out("y", {rows, heads.n_heads * heads.head_dim});
  ops::attention(run.encoder(), run.in("qkv", qkv), run.in("positions", positions),
                 run.in("page_table", kPageTable),
                 run.in("kv", pages_shape(kv, type), type, page_words(kv, type)),
                 unset_softmax(run, rows, heads), y, heads, scores, n_keys, {}, sharing);
  const std::string shape = fmt::format("{} rows {} window {} last {}", describe(heads),
                                        positions.size(), scores.window, positions.back());
  const auto ran = run.run();
  EXPECT_TRUE(ran) << "attention " << shape;
  if (!ran) return "";
  const auto reference_on = [&](const Host& pages) {
    return reference::attention(qkv, positions, kPageTable, pages, heads.n_heads, heads.n_kv_heads,
                                heads.head_dim, {scores.scale, scores.window, scores.softcap});
  };
  const double largest = largest_score(qkv, heads, scores.scale);
  const Tolerance tolerance{.roundings = attention_roundings(heads, largest, scores.softcap, n_keys,
                                                             n_exps(n_keys, sharing)),
                            .magnitude = reference_on(with_value_magnitudes(kv))};
  EXPECT_TRUE(
      is_close({"attention", shape, run.kernels()[0]}, run.values(y), reference_on(kv), tolerance));
  return run.kernels()[0];
}

/// With every kernel that takes so many rows; answers with their names.
std::set<std::string> check_attention(const ops::Heads& heads, const Host& qkv,
                                      const std::vector<uint32_t>& positions,
                                      const ops::Scores& scores, DType type,
                                      const Features& features) {
  std::set<std::string> names;
  for (const ops::Sharing how : kSharings) {
    names.insert(check_kernel(heads, qkv, positions, scores, type, features, how));
  }
  return names;
}

Host make_qkv(const ops::Heads& heads, const std::vector<uint32_t>& positions) {
  return ramp({static_cast<uint32_t>(positions.size()), heads.row_dim()}, 1);
}

/// Those of the kernel for up to three rows and of the two for more.
std::set<std::string> every_variant() {
  std::set<std::string> names = supported_variants("attention");
  names.merge(supported_variants("attention_prefill"));
  names.merge(supported_variants("attention_lanes"));
  return names;
}

/// The same rows by threes, for the first kernel, and all at once, for the others.
const std::vector<uint32_t> kFewAndMany[] = {{64, 0, 129}, {14, 63, 16}, {15, 62}, kPositions};

TEST(Attention, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen;
  for (const Features& features : feature_sets()) {
    for (const DType type : kKvTypes) {
      for_each_heads([&](const ops::Heads& heads) {
        for (const auto& rows : kFewAndMany) {
          seen.merge(
              check_attention(heads, make_qkv(heads, rows), rows, usual(heads), type, features));
        }
      });
    }
  }
  EXPECT_EQ(seen, every_variant());
}

TEST(Attention, MatchesTheReferenceForAnyNumberOfRows) {
  const ops::Heads heads{.n_heads = 4, .n_kv_heads = 2, .head_dim = 32};
  for (const uint32_t rows : {1, 3, 4, 5, 31, 32, 33, 65}) {
    std::vector<uint32_t> positions(rows);
    for (uint32_t r = 0; r < rows; ++r) positions[r] = (r * 37 + 5) % kLongest;
    check_attention(heads, make_qkv(heads, positions), positions, usual(heads), DType::f32,
                    device().adapter().features);
  }
}

TEST(Attention, ScoresOfHundredsNeitherOverflowNorVanish) {
  // The softmax is then close to choosing one key, and the maximum rises from chunk to chunk.
  const ops::Heads heads{.n_heads = 4, .n_kv_heads = 2, .head_dim = 64};
  for (const Features& features : feature_sets()) {
    for (const auto& rows : kFewAndMany) {
      check_attention(heads, make_qkv(heads, rows), rows, {.scale = 20}, DType::f32, features);
    }
  }
}

TEST(Attention, EqualScoresGiveTheMeanOfTheValues) {
  const ops::Heads heads{.n_heads = 4, .n_kv_heads = 1, .head_dim = 32};
  for (const Features& features : feature_sets()) {
    for (const auto& rows : kFewAndMany) {
      check_attention(heads, make_qkv(heads, rows), rows, {.scale = 0}, DType::f32, features);
    }
  }
}

/// Around the borders of pages (16) and chunks (64), one, and more than there is.
constexpr uint32_t kWindows[] = {1, 2, 15, 16, 17, 63, 64, 65, 129, 130, 131, 4'000'000'000};

TEST(Attention, AWindowHidesAllButTheLastKeysInEveryVariant) {
  std::set<std::string> seen;
  const ops::Heads heads{.n_heads = 4, .n_kv_heads = 2, .head_dim = 32};
  for (const Features& features : feature_sets()) {
    for (const DType type : kKvTypes) {
      for (const uint32_t window : kWindows) {
        ops::Scores scores = usual(heads);
        scores.window = window;
        for (const auto& rows : kFewAndMany) {
          seen.merge(check_attention(heads, make_qkv(heads, rows), rows, scores, type, features));
        }
      }
    }
  }
  EXPECT_EQ(seen, every_variant());
}

TEST(Attention, NeverReadsAKeyBeforeTheWindow) {
  // Every key before the first row's window is NaN.
  const ops::Heads heads{.n_heads = 2, .n_kv_heads = 1, .head_dim = 80};
  for (const Features& features : feature_sets()) {
    for (const uint32_t position : {0, 14, 15, 16, 62, 63, 64, 65, 127, 128, 129}) {
      for (const uint32_t window : kWindows) {
        ops::Scores scores = usual(heads);
        scores.window = window;
        for (const std::vector<uint32_t>& rows :
             {std::vector{position},
              std::vector{position, position + 1, position + 2, position + 3, position + 4}}) {
          check_attention(heads, make_qkv(heads, rows), rows, scores, DType::f32, features);
        }
      }
    }
  }
}

TEST(Attention, EachRowOfAPrefillHasItsOwnWindow) {
  const ops::Heads heads{.n_heads = 4, .n_kv_heads = 1, .head_dim = 64};
  for (const uint32_t first : {0, 20}) {
    std::vector<uint32_t> positions(70);
    for (uint32_t r = 0; r < positions.size(); ++r) positions[r] = first + r;
    for (const uint32_t window : {1, 16, 33, 64}) {
      ops::Scores scores = usual(heads);
      scores.window = window;
      check_attention(heads, make_qkv(heads, positions), positions, scores, DType::f16,
                      device().adapter().features);
    }
  }
}

TEST(Attention, AWindowOfOneIsTheValueItself) {
  // Without the reference: whatever the score, the only weight there is is 1.
  const ops::Heads heads{.n_heads = 2, .n_kv_heads = 2, .head_dim = 32};
  const Host kv = make_kv(heads, 0, kLongest, DType::f32);
  for (const auto& rows : kFewAndMany) {
    const Host qkv = make_qkv(heads, rows);
    GpuRun run(device().adapter().features);
    const gpu::Tensor y = run.out("y", {qkv.dim(0), heads.n_heads * heads.head_dim});
    ops::attention(run.encoder(), run.in("qkv", qkv), run.in("positions", rows),
                   run.in("page_table", kPageTable), run.in("kv", kv),
                   unset_softmax(run, qkv.dim(0), heads), y, heads, {.scale = 1, .window = 1},
                   kLongest);
    ASSERT_TRUE(run.run());
    Host want(y.shape);
    for (size_t r = 0; r < rows.size(); ++r) {
      for (uint32_t h = 0; h < heads.n_heads; ++h) {
        const size_t value = reference::kv_row(kv, kPageTable, heads.n_kv_heads + h, rows[r]);
        std::ranges::copy(kv.row(value), want.row(r).begin() + h * heads.head_dim);
      }
    }
    // The weight times the value, divided by the weight.
    EXPECT_TRUE(is_close({"attention", to_string(y.shape), run.kernels()[0]}, run.values(y), want,
                         {.roundings = 1 + kDivision}));
  }
}

TEST(Attention, CapsTheScoresInEveryVariant) {
  std::set<std::string> seen;
  // Few dimensions, so that the bound is tight: 0.1 % of the cap shows.
  const ops::Heads heads{.n_heads = 4, .n_kv_heads = 2, .head_dim = 4};
  for (const Features& features : feature_sets()) {
    for (const DType type : kKvTypes) {
      for (const float softcap : {0.5f, 5.0f, 50.0f}) {
        for (const uint32_t window : {0, 17}) {
          // Scores of some units, so that these caps bend all of them, some, and hardly any.
          const ops::Scores scores{.scale = 2, .window = window, .softcap = softcap};
          for (const auto& rows : kFewAndMany) {
            seen.merge(check_attention(heads, make_qkv(heads, rows), rows, scores, type, features));
          }
        }
      }
    }
  }
  EXPECT_EQ(seen, every_variant());
}

TEST(Attention, CappedScoresOfThousandsNeitherOverflowNorVanish) {
  const ops::Heads heads{.n_heads = 4, .n_kv_heads = 2, .head_dim = 64};
  const ops::Scores scores{.scale = 500, .softcap = 50};
  for (const auto& rows : kFewAndMany) {
    check_attention(heads, make_qkv(heads, rows), rows, scores, DType::f32,
                    device().adapter().features);
  }
}

/// A sequence of 1,300 tokens, cut into slabs at multiples of 256. Each slab has its pages in an
/// order of its own.
struct SlabCase {
  ops::Heads heads;
  std::vector<uint32_t> positions;
  uint32_t window = 0;
  DType type = DType::f32;
  ops::Sharing sharing = ops::Sharing::workgroups;
};

constexpr uint32_t kManyTokens = 1300;

/// y of attention over slabs that begin at `cuts`.
std::vector<uint32_t> attend_by_slabs(const SlabCase& c, const Host& kv,
                                      std::span<const uint32_t> cuts, Host* values = nullptr) {
  const auto rows = static_cast<uint32_t>(c.positions.size());
  const uint32_t n_keys = std::ranges::max(c.positions) + 1;
  ops::Scores scores = usual(c.heads);
  scores.window = c.window;
  GpuRun run(device().adapter().features);
  const gpu::Tensor qkv = run.in("qkv", make_qkv(c.heads, c.positions));
  const gpu::Tensor positions = run.in("positions", c.positions);
  const gpu::Tensor softmax = unset_softmax(run, rows, c.heads);
  const gpu::Tensor y = run.out("y", {rows, c.heads.n_heads * c.heads.head_dim});

  std::vector<uint32_t> pages;  // of the reference: in order
  for (uint32_t i = 0; i < kv.dim(0); ++i) pages.push_back(i);
  std::vector<uint32_t> page_table(pages.size());
  std::vector<std::pair<ops::SlabRange, Host>> slabs;
  const size_t page_values = kv.values.size() / kv.dim(0);
  for (size_t s = 0; s < cuts.size(); ++s) {
    const bool is_last = s + 1 == cuts.size();
    const uint32_t first_page = cuts[s] / 16, end_page = is_last ? kv.dim(0) : cuts[s + 1] / 16;
    const uint32_t n = end_page - first_page;
    Host slab({n, kv.dim(1), kv.dim(2), kv.dim(3)});
    for (uint32_t i = 0; i < n; ++i) {
      page_table[first_page + i] = n - 1 - i;
      std::copy_n(kv.values.begin() + (first_page + i) * page_values, page_values,
                  slab.values.begin() + (n - 1 - i) * page_values);
    }
    slabs.push_back(
        {{cuts[s], is_last ? UINT32_MAX : cuts[s + 1], s == 0, is_last}, std::move(slab)});
  }
  const gpu::Tensor table = run.in("page_table", page_table);
  for (const auto& [range, slab] : slabs) {
    ops::attention(run.encoder(), qkv, positions, table,
                   run.in("kv", pages_shape(slab, c.type), c.type, page_words(slab, c.type)),
                   softmax, y, c.heads, scores, n_keys, range, c.sharing);
  }
  const auto ran = run.run();
  EXPECT_TRUE(ran);
  if (!ran) return {};
  if (values != nullptr) *values = run.values(y);
  const auto words = run.words(y);
  return {words.begin(), words.end()};
}

TEST(Attention, IsTheSameBitsWhereverACacheIsCut) {
  const std::vector<uint32_t> all_cuts[] = {
      {0}, {0, 256}, {0, 1024}, {0, 512, 768}, {0, 256, 512, 768, 1024, 1280}};
  const std::vector<uint32_t> decode = {1299}, few = {1280, 255, 700};
  std::vector<uint32_t> prefill(70);
  for (uint32_t r = 0; r < prefill.size(); ++r) prefill[r] = 1230 + r;
  const std::vector<uint32_t> mixed = {0, 255, 256, 1279, 1280, 511, 513, 1024, 1};
  using enum ops::Sharing;
  const std::pair<std::vector<uint32_t>, ops::Sharing> kernels[] = {
      {decode, workgroups}, {few, workgroups}, {prefill, workgroups},
      {mixed, workgroups},  {prefill, lanes},  {mixed, lanes}};
  for (const DType type : kKvTypes) {
    for (const ops::Heads& heads : {ops::Heads{.n_heads = 4, .n_kv_heads = 2, .head_dim = 32},
                                    ops::Heads{.n_heads = 2, .n_kv_heads = 1, .head_dim = 80},
                                    ops::Heads{.n_heads = 1, .n_kv_heads = 1, .head_dim = 256}}) {
      Host kv({(kManyTokens + 15) / 16, 2 * heads.n_kv_heads, 16, heads.head_dim});
      std::vector<uint32_t> positions(kManyTokens), pages(kv.dim(0));
      for (uint32_t i = 0; i < kManyTokens; ++i) positions[i] = i;
      for (uint32_t i = 0; i < pages.size(); ++i) pages[i] = i;
      reference::kv_append(ramp({kManyTokens, heads.row_dim()}, 2), positions, pages, kv, type);
      for (const auto& [rows, sharing] : kernels) {
        for (const uint32_t window : {0, 1, 100, 256, 600}) {
          const SlabCase c{.heads = heads,
                           .positions = rows,
                           .window = window,
                           .type = type,
                           .sharing = sharing};
          SCOPED_TRACE(fmt::format("{} {} rows {} window {}", to_string(type), describe(heads),
                                   rows.size(), window));
          Host uncut;
          const auto want = attend_by_slabs(c, kv, all_cuts[0], &uncut);
          ops::Scores scores = usual(heads);
          scores.window = window;
          const auto reference_on = [&](const Host& cache) {
            return reference::attention(make_qkv(heads, rows), rows, pages, cache, heads.n_heads,
                                        heads.n_kv_heads, heads.head_dim,
                                        {scores.scale, window, 0});
          };
          const double largest = largest_score(make_qkv(heads, rows), heads, scores.scale);
          EXPECT_TRUE(is_close({"attention", "slabs", "uncut"}, uncut, reference_on(kv),
                               {.roundings = attention_roundings(heads, largest, 0, kManyTokens,
                                                                 n_exps(kManyTokens, sharing)),
                                .magnitude = reference_on(with_value_magnitudes(kv))}));
          for (const auto& cuts : all_cuts) EXPECT_EQ(attend_by_slabs(c, kv, cuts), want);
        }
      }
    }
  }
}

TEST(Attention, RefusesWrongShapes) {
  const auto message = [](Shape qkv, Shape kv, Shape y, ops::Heads heads) {
    return refusal([&](gpu::Encoder& enc) {
      ops::attention(enc, f32(qkv, "qkv"), u32({2}, "positions"), u32({3}, "page_table"),
                     f32(kv, "kv"), f32({2, heads.n_heads, 2}, "softmax"), f32(y, "y"), heads, {},
                     1);
    });
  };
  const ops::Heads heads{.n_heads = 4, .n_kv_heads = 2, .head_dim = 8};
  EXPECT_EQ(message({2, 60}, {3, 4, 16, 8}, {2, 32}, heads),
            "attention: qkv 'qkv' has shape [2, 60], expected [2, 64]");
  EXPECT_EQ(message({2, 64}, {3, 4, 16, 4}, {2, 32}, heads),
            "attention: kv 'kv' has shape [3, 4, 16, 4], expected [3, 4, 16, 8]");
  EXPECT_EQ(message({2, 64}, {3, 4, 16, 8}, {2, 64}, heads),
            "attention: y 'y' has shape [2, 64], expected [2, 32]");
  EXPECT_EQ(
      message({2, 24}, {3, 2, 16, 6}, {2, 12}, {.n_heads = 2, .n_kv_heads = 1, .head_dim = 6}),
      "attention: head_dim is 6, expected a multiple of 4");
  EXPECT_EQ(
      message({2, 56}, {3, 4, 16, 8}, {2, 24}, {.n_heads = 3, .n_kv_heads = 2, .head_dim = 8}),
      "attention: n_heads is 3, expected a multiple of 2");
  EXPECT_EQ(
      message({2, 24}, {3, 0, 16, 8}, {2, 24}, {.n_heads = 3, .n_kv_heads = 0, .head_dim = 8}),
      "attention: n_heads is 3, expected a multiple of 0");
  EXPECT_EQ(message({2, 780}, {3, 2, 16, 260}, {2, 260},
                    {.n_heads = 1, .n_kv_heads = 1, .head_dim = 260}),
            "attention: head_dim is 260, expected at most 256");
}

}  // namespace
}  // namespace handloom::test
