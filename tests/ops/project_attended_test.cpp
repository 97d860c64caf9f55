// project_attended against what it puts together by hand: spans by formula, then reference::matmul.
#include "ops/project_attended.h"
#include "tests/ops/inputs.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

#include <cmath>

namespace handloom::test {
namespace {

struct AttendedCase {
  ops::Heads heads;
  uint32_t out_dim = 8;
  uint32_t n_keys = 200;
  uint32_t window = 0;
  uint32_t part_rows = ~0u;
  bool is_wide = false;  // two subgroups share an output
};

uint32_t dim_of(const AttendedCase& c) { return c.heads.n_heads * c.heads.head_dim; }

/// Spans as attention_split leaves them. Those that the row does not see are NaN.
struct GivenSpans {
  Host spans;
  uint32_t first, end;  // those that are seen, the row's own key the last

  explicit GivenSpans(const AttendedCase& c) {
    const uint32_t n = c.n_keys / ops::kSpan + 4;
    end = (c.n_keys - 1 + ops::kSpan - 1) / ops::kSpan + 1;
    first = c.window > 0 && c.n_keys > c.window ? (c.n_keys - c.window) / ops::kSpan : 0;
    const Shape shape{n, c.heads.n_heads, ops::span_dim(c.heads.head_dim)};
    spans = Host(shape, std::vector<float>(shape.count(), kNan));
  }

  void set(uint32_t span, uint32_t head, float max, float sum, std::span<const float> values) {
    const std::span<float> row = spans.row(size_t{span} * spans.dim(1) + head);
    row[0] = max;
    row[1] = sum;
    std::ranges::copy(values, row.begin() + 4);
  }
};

/// Each head finds `row` in one span, another for each, and nothing in the others: then attention
/// is `row` to the bit.
GivenSpans spans_of(const AttendedCase& c, const Host& row) {
  GivenSpans spans(c);
  const uint32_t head_dim = c.heads.head_dim, n_seen = spans.end - spans.first;
  const std::vector<float> nothing(head_dim);
  for (uint32_t s = spans.first; s < spans.end; ++s) {
    for (uint32_t h = 0; h < c.heads.n_heads; ++h) {
      const bool is_here = s == spans.first + h % n_seen;
      const std::span<const float> values(&row.values[size_t{h} * head_dim], head_dim);
      spans.set(s, h, is_here ? 3.0f : 1.0f, is_here ? 1.0f : 0.0f, is_here ? values : nothing);
    }
  }
  return spans;
}

ops::ProjectForm form_of(const AttendedCase& c, const gpu::Encoder& enc) {
  ops::ProjectForm form = by_rule(enc);
  form.wide_below = c.is_wide ? UINT32_MAX : 0;
  return form;
}

std::string describe(const AttendedCase& c) {
  return fmt::format("{} heads of {} to {}, {} keys, window {}{}", c.heads.n_heads,
                     c.heads.head_dim, c.out_dim, c.n_keys, c.window, c.is_wide ? ", wide" : "");
}

/// Runs it on spans, and checks all that follows from x.
std::optional<std::string> run_attended(const AttendedCase& c, const Features& features,
                                        const GivenSpans& spans, const QuantisedWeight& weight,
                                        ops::InputFormat format, ops::InputFormat next_format,
                                        const Host& before, Host& x_after) {
  GpuRun run(features);
  const Host gamma = ramp({c.out_dim}, 3);
  const gpu::Tensor x = run.inout("x", before);
  const gpu::Tensor positions = run.in("positions", std::vector<uint32_t>{c.n_keys - 1});
  const gpu::Tensor on_gpu = run.in("spans", spans.spans);
  ops::Input next = next_input(run, c.out_dim, next_format);
  const ops::Input input{.dim = dim_of(c), .format = format, .form = form_of(c, run.encoder())};
  ops::project_attended(run.encoder(),
                        {.positions = positions,
                         .spans = on_gpu,
                         .heads = c.heads,
                         .scores = {.window = c.window},
                         .n_keys = c.n_keys},
                        input, weight.on_gpu(run, c.part_rows), run.in("gamma", gamma), x, next);
  const auto ran = run.run();
  EXPECT_TRUE(ran) << describe(c);
  if (!ran) return std::nullopt;
  const Case where{"project_attended", describe(c), run.kernels()[0]};
  x_after = run.values(x);
  Host want = x_after;
  for (uint32_t n = 0; n < c.out_dim; ++n) want.values[n] *= gamma.values[n];
  EXPECT_EQ(next.n_sums, c.out_dim / 8);
  EXPECT_TRUE(holds_input(where, run, next, want, {.roundings = 2}));
  EXPECT_TRUE(holds_squares(where, run, next, x_after));
  return where.variant;
}

/// A row that attention gives to the bit, times a weight of any type.
std::string check_row(const AttendedCase& c, const Features& features, const QuantisedType& type,
                      ops::InputFormat format, ops::InputFormat next_format) {
  const uint32_t dim = dim_of(c);
  const Host row = ramp({1, dim}, 1), before = ramp({1, c.out_dim}, 4);
  const QuantisedWeight weight(type, c.out_dim, dim, 2);
  Host x;
  const auto variant =
      run_attended(c, features, spans_of(c, row), weight, format, next_format, before, x);
  if (!variant) return "";
  Product product = GivenInput(dim, format, 0).times(weight.values());
  for (uint32_t n = 0; n < c.out_dim; ++n) {
    product.want.values[n] += before.values[n];
    product.magnitude.values[n] += std::abs(before.values[n]);
  }
  EXPECT_TRUE(is_close({"project_attended", describe(c), *variant}, x, product.want,
                       {.roundings = product.roundings + 2, .magnitude = product.magnitude}));
  return *variant;
}

/// Four heads that make a row of whole blocks of the weight's type.
ops::Heads heads_for(const QuantisedType& type) {
  const uint32_t one = row_multiple(type);
  return {.n_heads = 4, .n_kv_heads = 2, .head_dim = std::max(8u, 3 * one / 4 / 8 * 8)};
}

TEST(ProjectAttended, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen;
  for (const Features& features : feature_sets()) {
    for (const QuantisedType& type : weight_types()) {
      for (const ops::InputFormat format : formats_for(type, device().adapter().features)) {
        AttendedCase c{.heads = heads_for(type), .out_dim = 96, .part_rows = 40};
        if (dim_of(c) % row_multiple(type) != 0) c.heads.head_dim = row_multiple(type);
        seen.insert(check_row(c, features, type, format, ops::InputFormat::f32));
      }
    }
  }
  EXPECT_EQ(seen, supported_variants("project_attended"));
}

TEST(ProjectAttended, FindsEverySpanThatTheRowSees) {
  for (const Features& features : feature_sets()) {
    for (const uint32_t n_keys : {1, 64, 65, 300, 640, 1000}) {
      for (const uint32_t window : {0, 1, 100, 2000}) {
        check_row({.heads = {8, 2, 64}, .n_keys = n_keys, .window = window}, features,
                  {DType::q4_0}, ops::InputFormat::int8_for_nibbles, ops::InputFormat::f32);
      }
    }
  }
}

TEST(ProjectAttended, MatchesTheReferenceForAllHeadsAndFormats) {
  for (const bool is_wide : {false, true}) {
    for (const uint32_t head_dim : {8, 96, 256}) {
      for (const ops::InputFormat next : kInputFormats) {
        const AttendedCase c{.heads = {8, 8, head_dim}, .out_dim = 64, .is_wide = is_wide};
        check_row(c, device().adapter().features, {DType::f16}, ops::InputFormat::f32, next);
        check_row(c, device().adapter().features, {DType::q8_0}, ops::InputFormat::int8_for_bytes,
                  next);
      }
    }
  }
}

TEST(ProjectAttended, LeavesTheProductAloneWhereItIsNormedBeforeItIsAdded) {
  for (const Features& features : feature_sets()) {
    const AttendedCase c{.heads = {8, 2, 64}, .out_dim = 96, .part_rows = 40};
    const Host row = ramp({1, dim_of(c)}, 1);
    const QuantisedWeight weight({DType::q4_0}, c.out_dim, dim_of(c), 2);
    constexpr auto kFormat = ops::InputFormat::int8_for_nibbles;
    GpuRun run(features);
    const gpu::Tensor y = run.inout("y", Host({1, c.out_dim}, std::vector<float>(c.out_dim, kNan)));
    const gpu::Tensor positions = run.in("positions", std::vector<uint32_t>{c.n_keys - 1}), none;
    const gpu::Tensor spans = run.in("spans", spans_of(c, row).spans);
    ops::Input next{.words = run.inout("next", {ops::input_words(c.out_dim)}, DType::u32,
                                       std::vector<uint32_t>(ops::input_words(c.out_dim), 7)),
                    .dim = c.out_dim};
    const ops::Input input{.dim = dim_of(c), .format = kFormat, .form = form_of(c, run.encoder())};
    ops::project_attended(run.encoder(),
                          {.positions = positions,
                           .spans = spans,
                           .heads = c.heads,
                           .scores = {},
                           .n_keys = c.n_keys},
                          input, weight.on_gpu(run, c.part_rows), none, y, next);
    ASSERT_TRUE(run.run());
    const Product product = GivenInput(dim_of(c), kFormat, 0).times(weight.values());
    EXPECT_TRUE(is_close({"project_attended", describe(c), run.kernels()[0]}, run.values(y),
                         product.want,
                         {.roundings = product.roundings + 2, .magnitude = product.magnitude}));
    for (const uint32_t word : run.words(next.words)) EXPECT_EQ(word, 7u);
    EXPECT_EQ(next.n_sums, 0u);
  }
}

TEST(ProjectAttended, WeighsSpansByTheirSoftmax) {
  const AttendedCase c{.heads = {4, 4, 32}, .out_dim = 16, .n_keys = 300};
  GivenSpans spans(c);
  const Host maxima = ramp({8, 4}, 5), row = ramp({8, 4, 32}, 6);
  const auto values = [&](uint32_t s, uint32_t h) {
    return std::span<const float>(&row.values[(size_t{s} * 4 + h) * 32], 32);
  };
  Host want({1, dim_of(c)}), magnitude({1, dim_of(c)});
  for (uint32_t h = 0; h < 4; ++h) {
    double total = 0;
    const auto weight = [&](uint32_t s) { return std::exp(3.0 * maxima.values[s * 4 + h]); };
    for (uint32_t s = spans.first; s < spans.end; ++s) {
      spans.set(s, h, 3 * maxima.values[s * 4 + h], 1 + static_cast<float>(s), values(s, h));
      total += weight(s) * (1 + s);
    }
    for (uint32_t i = 0; i < 32; ++i) {
      double sum = 0, size = 0;
      for (uint32_t s = spans.first; s < spans.end; ++s) {
        sum += weight(s) * values(s, h)[i] / total;
        size += weight(s) * std::abs(values(s, h)[i]) / total;
      }
      want.values[h * 32 + i] = static_cast<float>(sum);
      magnitude.values[h * 32 + i] = static_cast<float>(size);
    }
  }
  const QuantisedWeight weight({DType::f32}, 16, 128, 2);
  const Host before({1, 16});
  Host x;
  const auto variant = run_attended(c, device().adapter().features, spans, weight,
                                    ops::InputFormat::f32, ops::InputFormat::f32, before, x);
  ASSERT_TRUE(variant);
  // A share is off by exp's error at 6 and twice 3's rounding, which comes in twice; six sums, a
  // quotient; then 128 products.
  const double share = 3 + 2 * 6 + 2;
  EXPECT_TRUE(is_close({"project_attended", describe(c), *variant}, x,
                       reference::matmul(want, weight.values()),
                       {.roundings = 2 * share + 2 * 6 + kDivision + 128 + 3,
                        .magnitude = reference::matmul(magnitude, magnitudes(weight.values()))}));
}

TEST(ProjectAttended, RefusesWrongShapes) {
  const auto message = [](Shape spans_shape, Shape x, uint32_t in_dim) {
    return refusal([&](gpu::Encoder& enc) {
      const gpu::Tensor spans = f32(spans_shape, "spans");
      ops::Input next{.words = u32({64}, "next"), .dim = 16};
      ops::project_attended(
          enc,
          {.positions = u32({1}, "positions"), .spans = spans, .heads = {4, 4, 32}, .scores = {}},
          {.dim = in_dim, .form = by_rule(enc)}, unbacked(DType::f32, {16, 128}, "attn_output"),
          f32({16}, "gamma"), f32(x, "x"), next);
    });
  };
  EXPECT_EQ(message({2, 4, 36}, {1, 16}, 128), "");
  EXPECT_EQ(message({2, 8, 36}, {1, 16}, 128),
            "project_attended: spans 'spans' has shape [2, 8, 36], expected [2, 4, 36]");
  EXPECT_EQ(message({2, 4, 36}, {1, 8}, 128),
            "project_attended: x 'x' has shape [1, 8], expected [1, 16]");
  EXPECT_EQ(message({2, 4, 36}, {1, 16}, 4096),
            "project_attended: what a workgroup keeps is 16384, expected at most 12288");
}

}  // namespace
}  // namespace handloom::test
