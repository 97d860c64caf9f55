// project_qkv against reference::matmul and reference::rope, one after the other: queries in their
// row, keys and values in pages. What was in the other slots, and behind the queries, stays.
#include "ops/project.h"
#include "reference/rope.h"
#include "tests/ops/appended.h"
#include "tests/ops/inputs.h"
#include "checks/rope_data.h"
#include "checks/quantised_weight.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

struct QkvCase {
  QuantisedType type;
  ops::InputFormat format = ops::InputFormat::f32;
  uint32_t in_dim = 0, n_sums = 0;
  ops::Heads heads = {.n_heads = 2, .n_kv_heads = 1, .head_dim = 16};
  uint32_t rope_dim = 16, position = 77;
  DType page = DType::f32;
  bool has_bias = true;
  uint32_t part_heads = ~0u;
  std::optional<ops::ProjectForm> form = {};
};

std::string describe(const QkvCase& c) {
  return fmt::format("{} group {} in_dim {} input {} with {} sums {} rope_dim {} position {} {} {}",
                     handloom::to_string(c.type.file), c.type.group, c.in_dim, to_string(c.format),
                     c.n_sums, test::describe(c.heads), c.rope_dim, c.position,
                     handloom::to_string(c.page), c.has_bias ? "bias" : "no bias");
}

/// Before the rotation: the product and the bias. The rotation passes the errors of a pair on to
/// both, at most as the length of the two, and adds its own, of a length that is no larger.
struct Rotated {
  Host row;
  Tolerance tolerance;
};

Rotated rotated(const QkvCase& c, const Product& product) {
  const uint32_t n_rotated = c.heads.n_heads + c.heads.n_kv_heads;
  Rotated r{.row = product.want,
            .tolerance = {.roundings = product.roundings + 2 + kRotation,
                          .magnitude = pair_lengths(product.magnitude, c.heads, c.rope_dim / 2)}};
  for (size_t i = 0; i < product.magnitude.values.size(); ++i) {
    float& magnitude = r.tolerance.magnitude.values[i];
    magnitude = std::max(magnitude, product.magnitude.values[i]);
  }
  reference::rope(r.row, std::span(&c.position, 1), make_inv_freq(c.rope_dim), n_rotated,
                  c.heads.head_dim);
  return r;
}

std::string check_qkv(const QkvCase& c, const Features& features) {
  const ops::Heads& heads = c.heads;
  const uint32_t row_dim = heads.row_dim(), n_queries = heads.n_heads * heads.head_dim;
  const QuantisedWeight weight(c.type, row_dim, c.in_dim, 2);
  const GivenInput input(c.in_dim, c.format, c.n_sums);
  const Host bias = ramp({row_dim}, 3);
  Host kv = ramp({kPages, 2 * heads.n_kv_heads, reference::kPageSize, heads.head_dim}, 2);
  reference::round_to(kv.values, c.page);

  GpuRun run(features);
  const ops::Matrix matrix =
      weight.on_gpu(run, c.part_heads == ~0u ? ~0u : c.part_heads * heads.head_dim);
  const gpu::Tensor row =
      run.inout("qkv", {1, row_dim}, DType::f32, std::vector<uint32_t>(row_dim, kUnwritten));
  const gpu::Tensor pages = run.inout("kv", kv, c.page);
  const gpu::Tensor positions = run.in("positions", std::vector<uint32_t>{c.position});
  const gpu::Tensor cos_sin = run.in("cos_sin", make_cos_sin(make_inv_freq(c.rope_dim), kLongest));
  const gpu::Tensor page_table = run.in("page_table", kPageTable);
  const gpu::Tensor no_bias;
  const gpu::Tensor bias_gpu = c.has_bias ? run.in("bias", bias) : no_bias;
  ops::project_qkv(run.encoder(), input.on_gpu(run, c.form),
                   {.weight = matrix,
                    .bias = bias_gpu,
                    .positions = positions,
                    .cos_sin = cos_sin,
                    .page_table = page_table,
                    .qkv = row,
                    .kv = pages,
                    .heads = heads,
                    .eps = GivenInput::kEps});
  Case where{"project_qkv", describe(c), ""};
  const auto ran = run.run();
  EXPECT_TRUE(ran) << where.shape;
  if (!ran) return "";
  where.variant = run.kernels()[0];

  Product product = input.times(weight.values());
  for (uint32_t n = 0; c.has_bias && n < row_dim; ++n) {
    product.want.values[n] += bias.values[n];
    product.magnitude.values[n] += std::abs(bias.values[n]);
  }
  const Rotated want = rotated(c, product);
  const auto first_queries = [&](const Host& host) {
    return Host({1, n_queries}, {host.values.begin(), host.values.begin() + n_queries});
  };
  EXPECT_TRUE(is_close(where, first_queries(run.values(row)), first_queries(want.row),
                       {.roundings = want.tolerance.roundings,
                        .magnitude = first_queries(want.tolerance.magnitude)}));
  for (const uint32_t word : run.words(row).subspan(n_queries)) EXPECT_EQ(word, kUnwritten);
  EXPECT_TRUE(holds_row(where, run.words(pages), c.page,
                        {.kv = kv,
                         .page_table = kPageTable,
                         .position = c.position,
                         .row = want.row,
                         .tolerance = want.tolerance}));
  return where.variant;
}

TEST(ProjectQkv, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen;
  for (const Features& features : feature_sets()) {
    for (const QuantisedType& type : weight_types()) {
      for (const ops::InputFormat format : formats_for(type, device().adapter().features)) {
        const uint32_t three = 3 * row_multiple(type);
        for (const DType page : {DType::f32, DType::f16}) {
          seen.insert(check_qkv({.type = type,
                                 .format = format,
                                 .in_dim = three,
                                 .n_sums = three / 8,
                                 .page = page,
                                 .part_heads = 2},
                                features));
        }
      }
    }
  }
  EXPECT_EQ(seen, supported_variants("project_qkv"));
}

TEST(ProjectQkv, MatchesTheReferenceForAllHeads) {
  for (const Features& features : feature_sets()) {
    for (ops::Heads heads : kHeadCounts) {
      for (const uint32_t head_dim : {16, 32, 80, 96, 128}) {
        heads.head_dim = head_dim;
        for (const uint32_t rope_dim : {head_dim, head_dim / 8 * 4, 4u}) {
          check_qkv({.type = {DType::f16},
                     .in_dim = 40,
                     .heads = heads,
                     .rope_dim = rope_dim,
                     .page = DType::f16,
                     .has_bias = false},
                    features);
        }
      }
    }
  }
}

TEST(ProjectQkv, FindsTheSlotOfEveryPosition) {
  for (const uint32_t position : kPositions) {
    check_qkv({.type = {DType::q8_0},
               .format = ops::InputFormat::int8_for_bytes,
               .in_dim = 96,
               .n_sums = 1,
               .position = position,
               .page = DType::f16},
              device().adapter().features);
  }
}

/// What the model asks before it takes the kernel.
TEST(ProjectQkv, CanTakeWholeHeadsAlone) {
  const auto can = [](uint32_t head_dim, uint32_t half_dim, DType page,
                      std::initializer_list<uint32_t> part_rows) {
    ops::Matrix weight;
    for (const uint32_t rows : part_rows) {
      weight.parts.push_back(
          {.first_row = weight.out_dim(), .tensor = {.shape = {rows, 64}, .dtype = DType::f16}});
    }
    return ops::can_project_qkv(weight, {.shape = {9, half_dim, 2}}, {.dtype = page},
                                {.n_heads = 2, .n_kv_heads = 1, .head_dim = head_dim});
  };
  EXPECT_TRUE(can(32, 16, DType::f16, {128}));
  EXPECT_TRUE(can(32, 2, DType::f32, {64, 32, 32}));
  EXPECT_FALSE(can(32, 16, DType::f16, {48, 80}));  // a part ends within a head
  EXPECT_FALSE(can(32, 16, DType::i8, {128}));      // a head's scale needs all of it
  EXPECT_FALSE(can(40, 20, DType::f16, {160}));     // eight pairs are not of one head
  EXPECT_FALSE(can(32, 3, DType::f16, {128}));      // neighbouring values are of two workgroups
}

TEST(ProjectQkv, MatchesTheReferenceInEveryForm) {
  const AdapterInfo& adapter = device().adapter();
  for (const ops::ProjectForm& form : all_forms(DType::q4_0)) {
    check_qkv({.type = {DType::q4_0},
               .format = ops::format_for(unbacked(DType::q4_0, {32, 32}, "attn_qkv"), form.act),
               .in_dim = 96,
               .n_sums = 12,
               .form = form},
              adapter.features);
  }
}

TEST(ProjectQkv, RefusesWrongShapes) {
  const auto message = [](Shape weight, Shape qkv, Shape kv, uint32_t half_dim, uint32_t in_dim) {
    return refusal([&](gpu::Encoder& enc) {
      const ops::Matrix matrix = f32(weight, "attn_qkv");
      const gpu::Tensor none, positions = u32({1}, "positions"), table = u32({3}, "page_table"),
                              cos_sin = f32({9, half_dim, 2}, "cos_sin"), row = f32(qkv, "qkv"),
                              pages = f32(kv, "kv");
      const ops::Input input{.words = u32({64}, "input"), .dim = in_dim};
      ops::project_qkv(enc, input,
                       {.weight = matrix,
                        .bias = none,
                        .positions = positions,
                        .cos_sin = cos_sin,
                        .page_table = table,
                        .qkv = row,
                        .kv = pages,
                        .heads = {.n_heads = 2, .n_kv_heads = 1, .head_dim = 16}});
    });
  };
  EXPECT_EQ(message({48, 32}, {1, 64}, {3, 2, 16, 16}, 8, 32),
            "project_qkv: weight 'attn_qkv' has 48 rows, expected 64");
  EXPECT_EQ(message({64, 32}, {1, 48}, {3, 2, 16, 16}, 8, 32),
            "project_qkv: qkv 'qkv' has shape [1, 48], expected [1, 64]");
  EXPECT_EQ(message({64, 32}, {1, 64}, {3, 2, 16, 8}, 8, 32),
            "project_qkv: kv 'kv' has shape [3, 2, 16, 8], expected [3, 2, 16, 16]");
  EXPECT_EQ(message({64, 32}, {1, 64}, {3, 2, 16, 16}, 9, 32),
            "project_qkv: rope_dim is 18, expected at most 16");
  EXPECT_EQ(message({64, 12}, {1, 64}, {3, 2, 16, 16}, 8, 12),
            "project_qkv: in_dim is 12, expected a multiple of 8");
  EXPECT_EQ(message({64, 32}, {1, 64}, {3, 2, 16, 16}, 3, 32),
            "project_qkv: 'attn_qkv' has parts, pages or dimensions that it cannot take");
}

}  // namespace
}  // namespace handloom::test
