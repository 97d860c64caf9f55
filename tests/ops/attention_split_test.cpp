// attention_split, which has two kernels, and attention_combine, which only together are attention,
// against the reference.
#include "ops/attention_split.h"
#include "tests/ops/decode_row.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

/// What the two kernels leave.
struct Attended {
  std::vector<std::string> kernels;
  std::vector<uint32_t> words;
};

/// Runs both and compares with the reference. Spans that no kernel wrote are NaN.
Attended check_split(const RowCase& c, const Features& features, ops::Sharing sharing) {
  const ops::Heads& heads = c.heads;
  const Host qkv = ramp({1, heads.row_dim()}, 1);
  RowRun row(c, features, qkv);
  GpuRun& run = row.run;
  const Shape spans_shape{ops::spans_of(16 * row.n_pages()), heads.n_heads,
                          ops::span_dim(heads.head_dim)};
  const gpu::Tensor spans =
      run.inout("spans", Host(spans_shape, std::vector<float>(spans_shape.count(), kNan)));
  for (size_t s = 0; s < c.cuts.size(); ++s) {
    ops::attention_split(run.encoder(), row.row(), row.slab(s), spans, c.scores, c.n_keys,
                         c.cuts[s], row.end(s), sharing);
  }
  ops::Input next = next_input(run, heads.n_heads * heads.head_dim, c.next);
  ops::attention_combine(run.encoder(), row.row().positions, spans, heads, c.scores, c.n_keys,
                         next);
  const auto ran = run.run();
  EXPECT_TRUE(ran) << describe(c);
  if (!ran) return {};
  // exp comes in with the key's distance to its span's maximum, and with that one's to the largest.
  row.check({"attention_split", describe(c), run.kernels()[0]}, next, qkv, 2);
  const auto words = run.words(next.words);
  return {.kernels = run.kernels(), .words = {words.begin(), words.end()}};
}

/// With either kernel. What both together ran, and what the last one left.
Attended check_split(const RowCase& c, const Features& features) {
  Attended both;
  for (const ops::Sharing sharing : kSharings) {
    Attended one = check_split(c, features, sharing);
    both.kernels.insert(both.kernels.end(), one.kernels.begin(), one.kernels.end());
    both.words = std::move(one.words);
  }
  return both;
}

TEST(AttentionSplit, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen, all = supported_variants("attention_split");
  all.merge(supported_variants("attention_split_lanes"));
  all.merge(supported_variants("attention_combine"));
  for (const Features& features : feature_sets()) {
    for (const DType type : kKvTypes) {
      for (const uint32_t q_per_kv : {1, 2, 3, 4, 8}) {
        for (const uint32_t n_keys : {1, 65, 200}) {
          RowCase c{.heads = with_q_per_kv(q_per_kv, 32), .n_keys = n_keys, .type = type};
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
        RowCase c{.heads = with_q_per_kv(3, head_dim), .n_keys = n_keys, .type = type};
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
      RowCase c{.heads = with_q_per_kv(2, 80), .n_keys = 70};
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
        RowCase c{.heads = with_q_per_kv(2, 32), .n_keys = 200, .type = type};
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
        RowCase c{.heads = with_q_per_kv(3, 32), .n_keys = 1000, .type = type};
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
