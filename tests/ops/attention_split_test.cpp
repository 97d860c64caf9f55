// attention_split and attention_combine, which only together are attention, against
// reference::attention. Pages lie in no order; what the row may not see is NaN, and so are the
// spans that no kernel wrote.
#include "ops/attention_split.h"
#include "checks/attention_data.h"
#include "tests/ops/inputs.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

struct SplitCase {
  ops::Heads heads;
  uint32_t n_keys = 1;
  DType type = DType::f32;
  ops::Scores scores = usual(heads);
  ops::InputFormat next = ops::InputFormat::f32;
  std::vector<uint32_t> cuts = {0};  // where slabs begin
};

std::string describe(const SplitCase& c) {
  return fmt::format("{} {} keys {} window {} softcap {} next {} slabs {}",
                     handloom::to_string(c.type), test::describe(c.heads), c.n_keys,
                     c.scores.window, c.scores.softcap, to_string(c.next), c.cuts.size());
}

constexpr uint32_t kSpare = 17;  // pages of a cache that the row does not reach

/// The keys and values that the row sees, in pages that lie in their order; the rest is NaN.
Host make_kv(const SplitCase& c, std::span<const uint32_t> pages) {
  Host kv =
      reference::make_kv(static_cast<uint32_t>(pages.size()), c.heads.n_kv_heads, c.heads.head_dim);
  std::ranges::fill(kv.values, kNan);
  const uint32_t window = c.scores.window;
  const uint32_t first = window > 0 && c.n_keys > window ? c.n_keys - window : 0;
  std::vector<uint32_t> seen(c.n_keys - first);
  for (uint32_t i = 0; i < seen.size(); ++i) seen[i] = first + i;
  reference::kv_append(ramp({c.n_keys - first, c.heads.row_dim()}, 2), seen, pages, kv, c.type);
  return kv;
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

/// What the two kernels leave.
struct Attended {
  std::vector<std::string> kernels;
  std::vector<uint32_t> words;
};

/// Runs both and compares with the reference.
Attended check_split(const SplitCase& c, const Features& features) {
  const ops::Heads& heads = c.heads;
  const uint32_t dim = heads.n_heads * heads.head_dim;
  const uint32_t position = c.n_keys - 1;
  std::vector<uint32_t> pages((c.n_keys + 15) / 16 + kSpare);  // as the reference has them
  for (uint32_t i = 0; i < pages.size(); ++i) pages[i] = i;
  const Host qkv = ramp({1, heads.row_dim()}, 1), kv = make_kv(c, pages);

  GpuRun run(features);
  const uint32_t n_spans = static_cast<uint32_t>((16 * pages.size() + ops::kSpan - 1) / ops::kSpan);
  const auto unset = [&](std::string name, Shape shape) {
    return run.inout(std::move(name), Host(shape, std::vector<float>(shape.count(), kNan)));
  };
  const ops::Spans spans{.softmax = unset("softmax", {n_spans, heads.n_heads, 2}),
                         .values = unset("values", {n_spans, heads.n_heads, heads.head_dim})};
  const gpu::Tensor row = run.in("qkv", qkv);
  const gpu::Tensor positions = run.in("positions", std::vector<uint32_t>{position});
  const auto n_pages = static_cast<uint32_t>(pages.size());
  const auto end_of = [&](size_t s) {
    return s + 1 < c.cuts.size() ? c.cuts[s + 1] / 16 : n_pages;
  };
  std::vector<uint32_t> page_table;
  for (size_t s = 0; s < c.cuts.size(); ++s) {
    for (uint32_t i = c.cuts[s] / 16; i < end_of(s); ++i) page_table.push_back(end_of(s) - 1 - i);
  }
  const gpu::Tensor table = run.in("page_table", page_table);
  for (size_t s = 0; s < c.cuts.size(); ++s) {
    const Host slab = make_slab(kv, c.cuts[s] / 16, end_of(s));
    ops::attention_split(run.encoder(), row, positions, table,
                         run.in("kv", pages_shape(slab, c.type), c.type, page_words(slab, c.type)),
                         spans, heads, c.scores, c.n_keys, c.cuts[s], 16 * end_of(s));
  }
  ops::Input next = next_input(run, dim, c.next);
  ops::attention_combine(run.encoder(), positions, spans, heads, c.scores, c.n_keys, next);
  const auto ran = run.run();
  EXPECT_TRUE(ran) << describe(c);
  if (!ran) return {};

  const auto reference_on = [&](const Host& cache) {
    return reference::attention(qkv, std::span(&position, 1), pages, cache, heads.n_heads,
                                heads.n_kv_heads, heads.head_dim,
                                {c.scores.scale, c.scores.window, c.scores.softcap});
  };
  // exp comes in with the key's distance to its span's maximum, and with that one's to the largest.
  const double largest = largest_score(qkv, heads, c.scores.scale);
  const Tolerance tolerance{
      .roundings = attention_roundings(heads, largest, c.scores.softcap, c.n_keys, 2),
      .magnitude = reference_on(with_value_magnitudes(kv))};
  EXPECT_TRUE(holds_input({"attention_split", describe(c), run.kernels()[0]}, run, next,
                          reference_on(kv), tolerance));
  const auto words = run.words(next.words);
  return {.kernels = run.kernels(), .words = {words.begin(), words.end()}};
}

/// A model's heads: query heads for each KV head from one to more than a workgroup takes at once.
ops::Heads with_q_per_kv(uint32_t q_per_kv, uint32_t head_dim) {
  return {.n_heads = 2 * q_per_kv, .n_kv_heads = 2, .head_dim = head_dim};
}

TEST(AttentionSplit, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen, all = supported_variants("attention_split");
  all.merge(supported_variants("attention_combine"));
  for (const Features& features : feature_sets()) {
    for (const DType type : kKvTypes) {
      for (const uint32_t q_per_kv : {1, 2, 3, 4, 8}) {
        for (const uint32_t n_keys : {1, 65, 200}) {
          const SplitCase c{.heads = with_q_per_kv(q_per_kv, 32), .n_keys = n_keys, .type = type};
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
        check_split({.heads = with_q_per_kv(3, head_dim), .n_keys = n_keys, .type = type},
                    device().adapter().features);
      }
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
        const std::vector<uint32_t> whole = check_split(c, features).words;
        for (const std::vector<uint32_t>& cuts : all_cuts) {
          c.cuts = cuts;
          EXPECT_EQ(check_split(c, features).words, whole) << describe(c);
        }
      }
    }
  }
}

TEST(AttentionSplit, RefusesWrongShapes) {
  const auto message = [](Shape qkv, Shape kv, Shape softmax, ops::Heads heads, uint32_t first = 0,
                          uint32_t end = 48) {
    return refusal([&](gpu::Encoder& enc) {
      const ops::Spans spans{.softmax = f32(softmax, "softmax"),
                             .values = f32({1, heads.n_heads, heads.head_dim}, "values")};
      ops::attention_split(enc, f32(qkv, "qkv"), u32({1}, "positions"), u32({3}, "page_table"),
                           f32(kv, "kv"), spans, heads, {}, 1, first, end);
    });
  };
  const ops::Heads heads{.n_heads = 4, .n_kv_heads = 2, .head_dim = 8};
  EXPECT_EQ(message({2, 64}, {3, 4, 16, 8}, {1, 4, 2}, heads),
            "attention_split: qkv 'qkv' has shape [2, 64], expected [1, 64]");
  EXPECT_EQ(message({1, 64}, {3, 4, 16, 8}, {1, 2, 2}, heads),
            "attention_split: softmax 'softmax' has shape [1, 2, 2], expected [1, 4, 2]");
  EXPECT_EQ(message({1, 64}, {3, 4, 16, 4}, {1, 4, 2}, heads),
            "attention_split: kv 'kv' has shape [3, 4, 16, 4], expected [3, 4, 16, 8]");
  EXPECT_EQ(message({1, 64}, {3, 4, 16, 8}, {1, 4, 2}, heads, 16),
            "attention_split: first is 16, expected a multiple of 64");
  EXPECT_EQ(message({1, 64}, {3, 4, 16, 8}, {1, 4, 2}, heads, 0, 65),
            "attention_split: the slab's end is 2, expected at most 1");
  EXPECT_EQ(
      message({1, 56}, {3, 4, 16, 8}, {1, 3, 2}, {.n_heads = 3, .n_kv_heads = 2, .head_dim = 8}),
      "attention_split: n_heads is 3, expected a multiple of 2");
  EXPECT_EQ(message({1, 780}, {3, 2, 16, 260}, {1, 1, 2},
                    {.n_heads = 1, .n_kv_heads = 1, .head_dim = 260}),
            "attention_split: head_dim is 260, expected at most 256");
}

TEST(AttentionCombine, RefusesWrongShapes) {
  const auto message = [](const ops::Heads& heads, uint32_t next_dim, ops::InputFormat format) {
    return refusal([&](gpu::Encoder& enc) {
      const ops::Spans spans{.softmax = f32({1, heads.n_heads, 2}, "softmax"),
                             .values = f32({1, heads.n_heads, heads.head_dim}, "values")};
      ops::Input next{.words = u32({64}, "next"), .dim = next_dim, .format = format};
      ops::attention_combine(enc, u32({1}, "positions"), spans, heads, {}, 1, next);
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
