// attention_head against the reference: with a weight that brings the row as it is, so that nothing
// hides what attention does wrong, and with weights of every type that it reads, against
// reference::matmul before.
#include "ops/attention_head.h"
#include "checks/quantised_weight.h"
#include "tests/ops/decode_row.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

/// Head by head in another order than attention wants them, so that each row of the weight takes
/// one value of the input, and no other than its own.
struct Permuted {
  Host input, weight;

  explicit Permuted(const Host& qkv) : input(qkv.shape), weight({qkv.dim(1), qkv.dim(1)}) {
    const uint32_t n = qkv.dim(1);
    for (uint32_t i = 0; i < n; ++i) {
      const uint32_t k = (i + n / 2 + 1) % n;
      input.values[k] = qkv.values[i];
      weight.row(i)[k] = 1;
    }
  }
};

ops::Input input_of(GpuRun& run, const Host& values) {
  std::vector<uint32_t> words = reference::store_input(values.values, reference::InputFormat::f32);
  words.resize(ops::input_words(values.dim(1)), std::bit_cast<uint32_t>(kNan));
  return {.words = run.in("input", words), .dim = values.dim(1), .form = by_rule(run.encoder())};
}

/// How often exp comes in for a key: its chunk's, one a chunk of its part, one for the part.
double exps(const RowCase& c) { return 2 + c.n_keys / 64.0; }

/// A row that the product leaves to the bit.
void check_attention(const RowCase& c, const Features& features) {
  const Host qkv = ramp({1, c.heads.row_dim()}, 1);
  const Permuted permuted(qkv);
  RowRun row(c, features, qkv);
  GpuRun& run = row.run;
  const ops::Matrix weight(run.in("weight", permuted.weight));
  ops::Input next = next_input(run, c.heads.n_heads * c.heads.head_dim, c.next);
  ops::attention_head(run.encoder(), input_of(run, permuted.input), weight, {}, row.row(),
                      row.slab(0), c.scores, c.n_keys, next);
  const auto ran = run.run();
  ASSERT_TRUE(ran) << describe(c);
  row.check({"attention_head", describe(c), run.kernels()[0]}, next, qkv, exps(c));
}

/// A row that is a product with a weight of a type, and a bias.
std::string check_product(const RowCase& c, const Features& features, const QuantisedType& type,
                          ops::InputFormat format, uint32_t in_dim, uint32_t n_sums,
                          std::optional<ops::ProjectForm> form = {}) {
  const uint32_t row_dim = c.heads.row_dim();
  const QuantisedWeight weight(type, row_dim, in_dim, 2);
  const GivenInput input(in_dim, format, n_sums);
  const Host bias = ramp({row_dim}, 5);
  Product product = input.times(weight.values());
  for (uint32_t n = 0; n < row_dim; ++n) {
    product.want.values[n] += bias.values[n];
    product.magnitude.values[n] += std::abs(bias.values[n]);
  }
  RowRun row(c, features, product.want);
  GpuRun& run = row.run;
  ops::Input next = next_input(run, c.heads.n_heads * c.heads.head_dim, c.next);
  ops::attention_head(run.encoder(), input.on_gpu(run, form), weight.on_gpu(run),
                      run.in("bias", bias), row.row(GivenInput::kEps), row.slab(0), c.scores,
                      c.n_keys, next);
  const std::string about = fmt::format("{} {} times {}, {} sums", describe(c),
                                        handloom::to_string(type.file), to_string(format), n_sums);
  const auto ran = run.run();
  EXPECT_TRUE(ran) << about;
  if (!ran) return "";
  row.check({"attention_head", about, run.kernels()[0]}, next, product.want, exps(c),
            {.roundings = product.roundings + 2, .magnitude = product.magnitude});
  return run.kernels()[0];
}

bool is_taken(const QuantisedType& type) {
  return type.file == DType::f32 || type.file == DType::f16 || type.file == DType::bf16;
}

TEST(AttentionHead, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen;
  for (const Features& features : feature_sets()) {
    for (const QuantisedType& type : weight_types()) {
      if (!is_taken(type)) continue;
      for (const ops::InputFormat format : formats_for(type, device().adapter().features)) {
        for (const DType kv : kKvTypes) {
          const RowCase c{
              .heads = with_q_per_kv(2, 16), .n_keys = 70, .type = kv, .scores = {.scale = 0.01f}};
          seen.insert(check_product(c, features, type, format, 264, 3));
        }
      }
    }
  }
  EXPECT_EQ(seen, supported_variants("attention_head"));
}

TEST(AttentionHead, MatchesTheReferenceInEveryForm) {
  const RowCase c{.heads = with_q_per_kv(3, 8), .n_keys = 20, .scores = {.scale = 0.01f}};
  for (const ops::ProjectForm& form : all_forms(DType::f16)) {
    const QuantisedType type{DType::f16};
    const ops::InputFormat format =
        form.act == ops::Act::f16 ? ops::InputFormat::f16_in_order : ops::InputFormat::f32;
    for (const uint32_t in_dim : {8, 72}) {
      for (const uint32_t n_sums : {0, 1}) {
        check_product(c, device().adapter().features, type, format, in_dim, n_sums, form);
      }
    }
  }
}

TEST(AttentionHead, MatchesTheReferenceForAnyHeads) {
  // Query heads for a KV head: from one to more than a workgroup has lanes, on a software adapter.
  const ops::Heads all[] = {with_q_per_kv(1, 64), with_q_per_kv(3, 24), with_q_per_kv(4, 32),
                            with_q_per_kv(8, 8), with_q_per_kv(16, 8)};
  for (const DType type : kKvTypes) {
    for (const ops::Heads& heads : all) {
      RowCase c{.heads = heads, .n_keys = 40, .type = type};
      c.rope_dim = heads.head_dim;
      c.norms = heads.n_heads % 8 == 0;
      check_attention(c, device().adapter().features);
    }
  }
}

TEST(AttentionHead, MatchesTheReferenceForAnyContext) {
  for (const Features& features : feature_sets()) {
    for (const uint32_t n_keys : {1, 3, 4, 5, 15, 16, 17, 63, 64, 65, 255, 256, 257, 261, 1000}) {
      RowCase c{.heads = with_q_per_kv(2, 32), .n_keys = n_keys, .type = DType::f16};
      c.rope_dim = 32;
      check_attention(c, features);
    }
  }
}

TEST(AttentionHead, TurnsOnlyTheFirstRopeDimOfAHead) {
  for (const uint32_t rope_dim : {2, 32, 38}) {
    for (const bool norms : {false, true}) {
      RowCase c{.heads = with_q_per_kv(2, 40), .n_keys = 30};
      c.rope_dim = rope_dim;
      c.norms = norms;
      check_attention(c, device().adapter().features);
    }
  }
}

TEST(AttentionHead, AWindowHidesAllButTheLastKeys) {
  for (const DType type : kKvTypes) {
    for (const uint32_t window : {1u, 2u, 16u, 63u, 64u, 65u, 199u, 200u, 4'000'000'000u}) {
      RowCase c{.heads = with_q_per_kv(2, 32), .n_keys = 200, .type = type};
      c.scores.window = window;
      check_attention(c, device().adapter().features);
    }
  }
}

TEST(AttentionHead, CapsTheScores) {
  for (const DType type : kKvTypes) {
    for (const float softcap : {0.5f, 5.0f, 50.0f}) {
      for (const uint32_t window : {0, 100}) {
        check_attention({.heads = with_q_per_kv(2, 8),
                         .n_keys = 200,
                         .type = type,
                         .scores = {.scale = 2, .window = window, .softcap = softcap}},
                        device().adapter().features);
      }
    }
  }
}

TEST(AttentionHead, ScoresOfHundredsNeitherOverflowNorVanish) {
  check_attention({.heads = with_q_per_kv(2, 64), .n_keys = 600, .scores = {.scale = 20}},
                  device().adapter().features);
}

TEST(AttentionHead, LeavesAnInputInEveryFormat) {
  for (const ops::InputFormat next : kInputFormats) {
    check_attention({.heads = with_q_per_kv(2, 48), .n_keys = 65, .next = next},
                    device().adapter().features);
  }
}

TEST(AttentionHead, RefusesWrongShapes) {
  struct Given {
    ops::Heads heads = {.n_heads = 4, .n_kv_heads = 2, .head_dim = 8};
    Shape weight = {64, 16}, bias = {64}, kv = {3, 4, 16, 8}, k_weight = {8};
    uint32_t in_dim = 16, half_dim = 4, next_dim = 32, n_parts = 1;
  };
  const auto message = [](const Given& g) {
    return refusal([&](gpu::Encoder& enc) {
      const gpu::Tensor qkv = f32({1, 64}, "qkv"), cos_sin = f32({9, g.half_dim, 2}, "cos_sin");
      const gpu::Tensor q_weight = f32({g.heads.head_dim}, "q_norm");
      const gpu::Tensor k_weight = f32(g.k_weight, "k_norm");
      const gpu::Tensor positions = u32({1}, "positions"), table = u32({3}, "page_table");
      const ops::Input input{
          .words = u32({64}, "input"), .dim = g.in_dim, .form = {.workgroup_size = 8}};
      ops::Matrix weight;
      const uint32_t n_rows = g.weight.dim(0) / g.n_parts;
      for (uint32_t i = 0; i < g.n_parts; ++i) {
        weight.parts.push_back({.first_row = i * n_rows,
                                .tensor = f32({n_rows, g.weight.dim(1)}, "weight"),
                                .group = 32});
      }
      ops::Input next{.words = u32({64}, "next"), .dim = g.next_dim};
      ops::attention_head(enc, input, weight, f32(g.bias, "bias"),
                          {.qkv = qkv,
                           .positions = positions,
                           .cos_sin = cos_sin,
                           .q_weight = q_weight,
                           .k_weight = k_weight,
                           .page_table = table,
                           .heads = g.heads},
                          f32(g.kv, "kv"), {}, 1, next);
    });
  };
  EXPECT_EQ(message({}), "");
  EXPECT_EQ(message({.weight = {56, 16}}),
            "attention_head: weight 'weight' has 56 rows, expected 64");
  EXPECT_EQ(message({.in_dim = 24}),
            "attention_head: weight 'weight' has shape [64, 16], expected [64, 24]");
  EXPECT_EQ(message({.bias = {56}}), "attention_head: bias 'bias' has shape [56], expected [64]");
  EXPECT_EQ(message({.kv = {3, 4, 16, 4}}),
            "attention_head: kv 'kv' has shape [3, 4, 16, 4], expected [3, 4, 16, 8]");
  EXPECT_EQ(message({.half_dim = 5}), "attention_head: rope_dim is 10, expected at most 8");
  EXPECT_EQ(message({.k_weight = {4}}),
            "attention_head: weight 'k_norm' has shape [4], expected [8]");
  EXPECT_EQ(message({.next_dim = 24}), "attention_head: the next input has 24 values, expected 32");
  EXPECT_EQ(message({.n_parts = 2}),
            "attention_head: parts of the weight is 2, expected at most 1");
}

}  // namespace
}  // namespace handloom::test
