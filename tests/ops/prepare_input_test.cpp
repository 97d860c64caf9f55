// prepare_input, add_and_prepare_input and store_input against reference::rms_norm, in every format
// and for widths below, at and beyond one workgroup.
#include "ops/prepare_input.h"
#include "reference/rms_norm.h"
#include "tests/ops/inputs.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

constexpr float kEps = 1e-2f;

/// What is left in x is compared with what the reference adds; what is left in next and the sum of
/// squares with what is left in x.
struct PrepareCase {
  uint32_t dim;
  ops::InputFormat format;
  bool adds = false, norms = false;
  ops::Sharing sharing = ops::Sharing::workgroups;
};

/// A relative error e of the sum changes its inverse root by e / 2: see rms_norm_test. Then the sum
/// with x, here and in the reference.
Tolerance added_tolerance(const Host& x, const Host& addend, bool norms) {
  const double norm = norms ? x.dim(1) / 2.0 + kDivision / 2 + 0.5 + kInverseSqrt + 2 + 1 : 0;
  Tolerance tolerance{.roundings = norm + 2, .magnitude = magnitudes(x)};
  for (size_t i = 0; i < addend.values.size(); ++i) {
    tolerance.magnitude.values[i] += std::abs(addend.values[i]);
  }
  return tolerance;
}

std::string check_prepare(const PrepareCase& c, const Features& features) {
  const Host before = ramp({1, c.dim}, 1), p = ramp({1, c.dim}, 2);
  const Host gamma = ramp({c.dim}, 3), post = ramp({c.dim}, 4);
  GpuRun run(features);
  const gpu::Tensor x = run.inout("x", before);
  ops::Input next = next_input(run, c.dim, c.format);
  if (c.adds) {
    ops::add_and_prepare_input(run.encoder(), run.in("p", p),
                               c.norms ? run.in("post", post) : gpu::Tensor(),
                               run.in("gamma", gamma), x, next, kEps, c.sharing);
  } else {
    ops::prepare_input(run.encoder(), run.in("gamma", gamma), x, next, c.sharing);
  }
  Case where{
      "prepare_input",
      fmt::format("dim {} next {} adds {} norms {}", c.dim, to_string(c.format), c.adds, c.norms),
      ""};
  const auto ran = run.run();
  EXPECT_TRUE(ran) << where.shape;
  if (!ran) return "";
  where.variant = run.kernels()[0];
  const Host after = run.values(x);
  if (c.adds) {
    const Host addend = c.norms ? reference::rms_norm(p, post, kEps) : p;
    Host want = before;
    for (uint32_t i = 0; i < c.dim; ++i) want.values[i] += addend.values[i];
    EXPECT_TRUE(is_close(where, after, want, added_tolerance(before, addend, c.norms)));
  } else {
    EXPECT_EQ(after.values, before.values) << where.shape;
  }
  Host want = after;
  for (uint32_t i = 0; i < c.dim; ++i) want.values[i] *= gamma.values[i];
  EXPECT_EQ(next.n_sums, 1u);
  EXPECT_TRUE(holds_input(where, run, next, want, {.roundings = 2}));
  EXPECT_TRUE(holds_squares(where, run, next, after));
  return where.variant;
}

/// Runs `check` for every format and widths that it can hold, and however lanes share the work.
template <class Check>
void for_each_width(Check check) {
  for (const ops::InputFormat format : kInputFormats) {
    for (const uint32_t dim : {8, 24, 32, 96, 2048, 2080, 5120}) {
      if (format != ops::InputFormat::f32 && dim % 32 != 0) continue;
      for (const ops::Sharing sharing : kSharings) check(dim, format, sharing);
    }
  }
}

TEST(PrepareInput, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen;
  for (const Features& features : feature_sets()) {
    for_each_width([&](uint32_t dim, ops::InputFormat format, ops::Sharing sharing) {
      seen.insert(check_prepare({dim, format, false, false, sharing}, features));
    });
  }
  EXPECT_EQ(seen, supported_variants("prepare_input"));
}

TEST(AddAndPrepareInput, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen;
  for (const Features& features : feature_sets()) {
    for_each_width([&](uint32_t dim, ops::InputFormat format, ops::Sharing sharing) {
      for (const bool norms : {false, true}) {
        seen.insert(check_prepare({dim, format, true, norms, sharing}, features));
      }
    });
  }
  EXPECT_EQ(seen, supported_variants("prepare_input"));
}

TEST(StoreInput, StoresTheValuesAsTheyAre) {
  for (const Features& features : feature_sets()) {
    for_each_width([&](uint32_t dim, ops::InputFormat format, ops::Sharing sharing) {
      Host values = ramp({1, dim}, 1);
      std::fill_n(values.values.begin(), 8, 0.0f);  // a block without a scale
      for (uint32_t i = 8; i < dim; ++i) {          // and blocks of very different ones
        values.values[i] = std::ldexp(values.values[i], static_cast<int>(i / 8 % 64) - 32);
      }
      GpuRun run(features);
      const gpu::Tensor x = run.inout("x", values);
      ops::Input next = next_input(run, dim, format);
      next.n_sums = 1;  // of whoever used it before
      ops::store_input(run.encoder(), x, run.in("spare", ramp({8}, 2)), next, sharing);
      ASSERT_TRUE(run.run());
      EXPECT_EQ(next.n_sums, 0u);
      EXPECT_EQ(run.values(x).values, values.values);
      const std::string shape = fmt::format("dim {} {}", dim, to_string(format));
      next.n_sums = 1;  // the kernel leaves one all the same
      EXPECT_TRUE(holds_input({"store_input", shape, run.kernels()[0]}, run, next, values, {}));
    });
  }
}

TEST(PrepareInput, RefusesWrongShapes) {
  const auto message = [](uint32_t dim, Shape p, Shape gamma, Shape x,
                          ops::InputFormat format = ops::InputFormat::f32) {
    return refusal([&](gpu::Encoder& enc) {
      ops::Input next{.words = u32({64}, "next"), .dim = dim, .format = format};
      ops::add_and_prepare_input(enc, f32(p, "attn"), {}, f32(gamma, "ffn_norm"), f32(x, "x"), next,
                                 0);
    });
  };
  EXPECT_EQ(message(16, {1, 16}, {16}, {1, 8}),
            "prepare_input: x 'x' has shape [1, 8], expected [1, 16]");
  EXPECT_EQ(message(16, {1, 8}, {16}, {1, 16}),
            "prepare_input: p 'attn' has shape [1, 8], expected [1, 16]");
  EXPECT_EQ(message(16, {1, 16}, {8}, {1, 16}),
            "prepare_input: norm 'ffn_norm' has shape [8], expected [16]");
  EXPECT_EQ(message(12, {1, 12}, {12}, {1, 12}),
            "prepare_input: the next input's dim is 12, expected a multiple of 8");
  EXPECT_EQ(message(16, {1, 16}, {16}, {1, 16}, ops::InputFormat::int8_for_nibbles),
            "prepare_input: the next input's dim is 16, expected a multiple of 32");
}

}  // namespace
}  // namespace handloom::test
