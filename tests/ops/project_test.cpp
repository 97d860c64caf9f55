// project, project_residual and project_gated against reference::matmul and what follows it: every
// type of weight, times inputs in f32 and, where it can read them, in 8 bits.
#include "ops/project.h"
#include "reference/geglu.h"
#include "reference/swiglu.h"
#include "tests/ops/inputs.h"
#include "checks/quantised_weight.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

#include <numeric>

namespace handloom::test {
namespace {

/// A matrix by formula and an input in a format that it can read.
struct Sizes {
  uint32_t out_dim, in_dim;
  uint32_t n_sums = 0;
  uint32_t part_rows = ~0u;
};

std::string describe(const QuantisedType& type, const Sizes& sizes, ops::InputFormat format) {
  return fmt::format("{} group {} [{}, {}] in parts of {}, input {} with {} sums",
                     handloom::to_string(type.file), type.group, sizes.out_dim, sizes.in_dim,
                     sizes.part_rows, to_string(format), sizes.n_sums);
}

/// Runs `check` with every set of features, type of weight and format of the input.
template <class Check>
void for_each_variant(Check check) {
  for (const Features& features : feature_sets()) {
    for (const QuantisedType& type : weight_types()) {
      for (const ops::InputFormat format : formats_for(type, device().adapter().features))
        check(features, type, format);
    }
  }
}

/// Whether a run went well; a failure names the case.
bool ran(GpuRun& run, const Case& where) {
  const auto result = run.run();
  EXPECT_TRUE(result) << where.op << " " << where.shape;
  return static_cast<bool>(result);
}

std::string check_project(const Features& features, const QuantisedType& type,
                          ops::InputFormat format, const Sizes& sizes, bool has_bias,
                          std::optional<ops::ProjectForm> form = {}) {
  const QuantisedWeight weight(type, sizes.out_dim, sizes.in_dim, 2);
  const GivenInput input(sizes.in_dim, format, sizes.n_sums);
  const Host bias = ramp({sizes.out_dim}, 3);
  GpuRun run(features);
  const gpu::Tensor y = run.out("y", {1, sizes.out_dim});
  ops::project(run.encoder(), input.on_gpu(run, form), weight.on_gpu(run, sizes.part_rows),
               has_bias ? run.in("bias", bias) : gpu::Tensor(), y, GivenInput::kEps);
  Case where{"project", describe(type, sizes, format), ""};
  if (!ran(run, where)) return "";
  where.variant = run.kernels()[0];
  Product product = input.times(weight.values());
  for (uint32_t n = 0; has_bias && n < sizes.out_dim; ++n) {
    product.want.values[n] += bias.values[n];
    product.magnitude.values[n] += std::abs(bias.values[n]);
  }
  // A sum with the bias, here and in the reference.
  EXPECT_TRUE(is_close(where, run.values(y), product.want,
                       {.roundings = product.roundings + 2, .magnitude = product.magnitude}));
  return where.variant;
}

TEST(Project, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen;
  for_each_variant([&](const Features& features, const QuantisedType& type, auto format) {
    const uint32_t one = row_multiple(type), three = 3 * one;
    seen.insert(check_project(features, type, format, {37, three, three / 8, 16}, true));
    seen.insert(check_project(features, type, format, {5, one}, false));
  });
  EXPECT_EQ(seen, supported_variants("project"));
}

TEST(Project, MatchesTheReferenceForAnyNumberOfOutputs) {
  for (const Features& features : feature_sets()) {
    for (const uint32_t out_dim : {1, 15, 16, 17, 100}) {
      for (const uint32_t in_dim : {8, 264, 1032}) {
        const Sizes sizes{out_dim, in_dim, 1};
        check_project(features, {DType::f16}, ops::InputFormat::f32, sizes, true);
      }
      check_project(features, {DType::q4_0}, ops::InputFormat::int8_for_nibbles,
                    {out_dim, 32 * 65, 1}, true);
    }
  }
}

TEST(Project, ReadsPartsOfDifferentTypes) {
  // A fused qkv whose v has more bits.
  const QuantisedWeight q4({DType::q4_k}, 24, 512, 2), q6({DType::q6_k}, 10, 512, 3);
  for (const ops::InputFormat format :
       {ops::InputFormat::f32, ops::InputFormat::int8_for_nibbles}) {
    const GivenInput input(512, format, 1);
    GpuRun run(device().adapter().features);
    const gpu::Tensor y = run.out("y", {1, 34});
    ops::Matrix weight = q4.on_gpu(run);
    weight.parts.push_back(q6.on_gpu(run).parts[0]);
    weight.parts[1].first_row = 24;
    ops::project(run.encoder(), input.on_gpu(run), weight, {}, y, GivenInput::kEps);
    ASSERT_TRUE(run.run());
    Host values = q4.values();
    values.shape = {34, 512};
    const Host last = q6.values();
    values.values.insert(values.values.end(), last.values.begin(), last.values.end());
    const Product product = input.times(values);
    EXPECT_TRUE(is_close({"project", "parts", "q4_k and q6_k"}, run.values(y), product.want,
                         {.roundings = product.roundings, .magnitude = product.magnitude}));
  }
}

TEST(Project, AnInputOfZerosGivesTheBias) {
  const QuantisedWeight weight({DType::q8_0}, 16, 64, 2);
  const Host bias = ramp({16}, 3);
  GpuRun run(device().adapter().features);
  const gpu::Tensor y = run.out("y", {1, 16});
  const ops::Input input{.words = run.in("input", std::vector<uint32_t>(ops::input_words(64))),
                         .dim = 64,
                         .format = ops::InputFormat::int8_for_bytes,
                         .form = by_rule(run.encoder()),
                         .n_sums = 1};
  ops::project(run.encoder(), input, weight.on_gpu(run), run.in("bias", bias), y, 1e-6f);
  ASSERT_TRUE(run.run());
  EXPECT_EQ(run.values(y).values, bias.values);
}

std::string check_residual(const Features& features, const QuantisedType& type,
                           ops::InputFormat format, const Sizes& sizes,
                           ops::InputFormat next_format,
                           std::optional<ops::ProjectForm> form = {}) {
  const uint32_t dim = sizes.out_dim;
  const QuantisedWeight weight(type, dim, sizes.in_dim, 2);
  const GivenInput input(sizes.in_dim, format, 0);
  const Host gamma = ramp({dim}, 3), before = ramp({1, dim}, 4);
  GpuRun run(features);
  const gpu::Tensor x = run.inout("x", before);
  ops::Input next = next_input(run, dim, next_format);
  ops::project_residual(run.encoder(), input.on_gpu(run, form), weight.on_gpu(run, sizes.part_rows),
                        run.in("gamma", gamma), x, next);
  Case where{"project_residual",
             fmt::format("{} next {}", describe(type, sizes, format), to_string(next_format)), ""};
  if (!ran(run, where)) return "";
  where.variant = run.kernels()[0];
  Product product = input.times(weight.values());
  for (uint32_t n = 0; n < dim; ++n) {
    product.want.values[n] += before.values[n];
    product.magnitude.values[n] += std::abs(before.values[n]);
  }
  const Host sum = run.values(x);
  EXPECT_TRUE(is_close(where, sum, product.want,
                       {.roundings = product.roundings + 2, .magnitude = product.magnitude}));
  // The rest is of the sum as the kernel has it.
  Host want = sum;
  for (uint32_t n = 0; n < dim; ++n) want.values[n] *= gamma.values[n];
  EXPECT_EQ(next.n_sums, dim / 8);
  EXPECT_TRUE(holds_input(where, run, next, want, {.roundings = 2}));
  EXPECT_TRUE(holds_squares(where, run, next, sum));
  return where.variant;
}

TEST(ProjectResidual, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen;
  for_each_variant([&](const Features& features, const QuantisedType& type, auto format) {
    const uint32_t one = row_multiple(type);
    for (const ops::InputFormat next : kInputFormats) {
      seen.insert(check_residual(features, type, format, {96, 3 * one, 0, 40}, next));
    }
    seen.insert(check_residual(features, type, format, {8, one}, ops::InputFormat::f32));
  });
  EXPECT_EQ(seen, supported_variants("project_residual"));
}

/// act(gate) * up of a product [gate | up]. Let g and u be the errors of the two. act changes by at
/// most 1.13 g (the steepest slope of gelu; that of silu is less) and has its own: for silu
/// exp(-gate)'s, (6 + 4 |gate|) of which sigmoid (1 - sigmoid), at most 2 in all, then a sum, a
/// quotient; for gelu as in geglu_test. A product and the reference are left.
Tolerance gated_tolerance(const Product& product, const Host& want) {
  const auto dim = static_cast<uint32_t>(want.values.size());
  const double kAct = (tanh_roundings(7) + 2) / 2 + 2, kSlope = 1.13, n = product.roundings;
  Tolerance tolerance{.roundings = n + kAct + 2, .magnitude = Host(want.shape)};
  for (uint32_t i = 0; i < dim; ++i) {
    const double gate = product.magnitude.values[i], up = product.magnitude.values[dim + i];
    const double up_here = std::abs(product.want.values[dim + i]) + n * kU * up;
    const double gate_here = std::abs(product.want.values[i]);  // no less than act of it
    tolerance.magnitude.values[i] = static_cast<float>(kSlope * gate * up_here + gate_here * up);
  }
  return tolerance;
}

std::string check_gated(const Features& features, const QuantisedType& type,
                        ops::InputFormat format, const Sizes& sizes, ops::Gate gate,
                        ops::InputFormat next_format, std::optional<ops::ProjectForm> form = {}) {
  const uint32_t dim = sizes.out_dim;
  const QuantisedWeight weight(type, 2 * dim, sizes.in_dim, 2);
  const GivenInput input(sizes.in_dim, format, sizes.n_sums);
  GpuRun run(features);
  ops::Input next = next_input(run, dim, next_format);
  ops::project_gated(run.encoder(), input.on_gpu(run, form), weight.on_gpu(run), gate, next,
                     GivenInput::kEps);
  Case where{"project_gated",
             fmt::format("{} {} next {}", describe(type, sizes, format),
                         gate == ops::Gate::gelu ? "gelu" : "silu", to_string(next_format)),
             ""};
  if (!ran(run, where)) return "";
  where.variant = run.kernels()[0];
  const Product product = input.times(weight.values());
  const Host want =
      gate == ops::Gate::gelu ? reference::geglu(product.want) : reference::swiglu(product.want);
  EXPECT_EQ(next.n_sums, 0u);
  EXPECT_TRUE(holds_input(where, run, next, want, gated_tolerance(product, want)));
  return where.variant;
}

TEST(ProjectGated, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen;
  for_each_variant([&](const Features& features, const QuantisedType& type, auto format) {
    const uint32_t one = row_multiple(type), three = 3 * one;
    for (const ops::InputFormat next : kInputFormats) {
      const ops::Gate gate = next == ops::InputFormat::f32 ? ops::Gate::gelu : ops::Gate::silu;
      seen.insert(check_gated(features, type, format, {32, three, three / 8}, gate, next));
    }
    seen.insert(
        check_gated(features, type, format, {72, one}, ops::Gate::silu, ops::InputFormat::f32));
  });
  EXPECT_EQ(seen, supported_variants("project_gated"));
}

/// Values of a row that a team of `n_subgroups` takes in so many turns.
uint32_t row_of_turns(uint32_t n_turns, uint32_t n_subgroups, ops::InputFormat format) {
  return n_turns * n_subgroups * device().adapter().features.min_subgroup_size *
         ops::values_per_turn(format);
}

void check_all(const QuantisedType& type, ops::InputFormat format, uint32_t in_dim,
               const ops::ProjectForm& form) {
  const Features& features = device().adapter().features;
  check_project(features, type, format, {53, in_dim, in_dim / 8, 16}, true, form);
  check_residual(features, type, format, {72, in_dim}, ops::InputFormat::f32, form);
  check_gated(features, type, format, {40, in_dim, in_dim / 8}, ops::Gate::silu,
              ops::InputFormat::f32, form);
}

TEST(Project, MatchesTheReferenceInEveryForm) {
  for (const DType dtype : {DType::f16, DType::q4_0, DType::q6_k}) {
    const QuantisedType type{dtype};
    size_t n_forms = 0;
    for (const ops::ProjectForm& form : all_forms(dtype)) {
      for (const ops::InputFormat format : formats_for(type, device().adapter().features)) {
        if (form.act != ops::act_of(format)) continue;
        const bool is_wide = form.wide_below == UINT32_MAX;
        const uint32_t shared = std::lcm(row_of_turns(1, 2, format), row_multiple(type));
        check_all(type, format, 3 * (is_wide ? shared : row_multiple(type)), form);
        ++n_forms;
      }
    }
    EXPECT_EQ(n_forms, all_forms(dtype).size());
  }
}

TEST(Project, MatchesTheReferenceWhereLanesTakeFourTurnsAtOnce) {
  const AdapterInfo& adapter = device().adapter();
  if (!adapter.features.subgroups) return;
  for (const DType dtype : {DType::f16, DType::q4_0, DType::q6_k}) {
    const QuantisedType type{dtype};
    for (const ops::InputFormat format : formats_for(type, adapter.features)) {
      for (const uint32_t n_subgroups : {1, 2}) {
        const uint32_t team = adapter.features.min_subgroup_size;
        check_all(type, format, row_of_turns(8, n_subgroups, format),
                  {.act = ops::act_of(format),
                   .subgroups = true,
                   .workgroup_size = 8 * team,
                   .n_outputs = 8,
                   .wide_below = n_subgroups == 2 ? UINT32_MAX : 0});
      }
    }
  }
}

/// An op's inputs with shapes to refuse.
struct Refused {
  Shape weight = {16, 32};
  DType type = DType::f32;
  ops::InputFormat format = ops::InputFormat::f32;
  uint32_t in_dim = 32;

  ops::Input input() const {
    return {.words = u32({64}, "input"), .dim = in_dim, .format = format};
  }
  gpu::Tensor matrix() const { return unbacked(type, weight, "blk.0.attn_q"); }
};

TEST(Project, RefusesWrongShapes) {
  const auto message = [](const Refused& r, Shape bias, Shape y) {
    return refusal([&](gpu::Encoder& enc) {
      ops::project(enc, r.input(), r.matrix(), f32(bias, "bias"), f32(y, "y"), 0);
    });
  };
  EXPECT_EQ(message({}, {16}, {1, 8}), "project: y 'y' has shape [1, 8], expected [1, 16]");
  EXPECT_EQ(message({}, {8}, {1, 16}), "project: bias 'bias' has shape [8], expected [16]");
  EXPECT_EQ(message({.in_dim = 64}, {16}, {1, 16}),
            "project: weight 'blk.0.attn_q' has shape [16, 32], expected [16, 64]");
  EXPECT_EQ(message({.weight = {16, 12}, .in_dim = 12}, {16}, {1, 16}),
            "project: in_dim is 12, expected a multiple of 8");
  EXPECT_EQ(message({.format = ops::InputFormat::int8_for_nibbles}, {16}, {1, 16}),
            "project: the input is in 8 bits, which weight 'blk.0.attn_q' cannot read");
  EXPECT_EQ(
      message({.type = DType::q8_0, .format = ops::InputFormat::int8_for_nibbles}, {16}, {1, 16}),
      "project: the input is in 8 bits, which weight 'blk.0.attn_q' cannot read");
}

TEST(Project, RefusesAFormThatTheDeviceCannotRun) {
  const auto message = [](const ops::ProjectForm& form) {
    return refusal([&](gpu::Encoder& enc) {
      ops::Input input = Refused().input();
      input.form = form;
      ops::project(enc, input, Refused().matrix(), {}, f32({1, 16}, "y"), 0);
    });
  };
  const std::string sentence =
      "project: weight 'blk.0.attn_q' is to be read in a form that the device cannot run";
  EXPECT_EQ(message({.workgroup_size = 1u << 20}), sentence);
  EXPECT_EQ(message({.workgroup_size = 48}), sentence);
  EXPECT_EQ(message({.workgroup_size = 4}), sentence);
  EXPECT_EQ(message({.workgroup_size = 8, .n_outputs = 128}), sentence);
  EXPECT_EQ(message({.rows_at_once = 3}), sentence);
  EXPECT_EQ(message({.n_outputs = 12}), sentence);
  EXPECT_EQ(message({.act = ops::Act::int8}), sentence);  // weights of f32 have no codes
}

TEST(ProjectResidual, RefusesWrongShapes) {
  const auto message = [](const Refused& r, Shape gamma, Shape x, uint32_t next_dim,
                          ops::InputFormat next_format = ops::InputFormat::f32) {
    return refusal([&](gpu::Encoder& enc) {
      ops::Input next{.words = u32({64}, "next"), .dim = next_dim, .format = next_format};
      ops::project_residual(enc, r.input(), r.matrix(), f32(gamma, "gamma"), f32(x, "x"), next);
    });
  };
  EXPECT_EQ(message({}, {16}, {1, 8}, 16),
            "project_residual: x 'x' has shape [1, 8], expected [1, 16]");
  EXPECT_EQ(message({}, {8}, {1, 16}, 16),
            "project_residual: gamma 'gamma' has shape [8], expected [16]");
  EXPECT_EQ(message({.weight = {12, 32}}, {12}, {1, 12}, 12),
            "project_residual: weight 'blk.0.attn_q' is cut within eight rows");
  EXPECT_EQ(message({}, {16}, {1, 16}, 32),
            "project_residual: the next input has 32 values, expected 16");
  EXPECT_EQ(message({}, {16}, {1, 16}, 16, ops::InputFormat::int8_for_bytes),
            "project_residual: the next input's dim is 16, expected a multiple of 32");
}

TEST(ProjectGated, RefusesWrongShapes) {
  const auto message = [](const ops::Matrix& weight, uint32_t next_dim,
                          ops::InputFormat next_format = ops::InputFormat::f32) {
    return refusal([&](gpu::Encoder& enc) {
      ops::Input next{.words = u32({64}, "next"), .dim = next_dim, .format = next_format};
      ops::project_gated(enc, Refused().input(), weight, ops::Gate::silu, next, 0);
    });
  };
  const auto ffn = [](uint32_t rows) { return f32({rows, 32}, "ffn_gate_up"); };
  EXPECT_EQ(message(ffn(16), 16), "project_gated: weight 'ffn_gate_up' has 16 rows, expected 32");
  EXPECT_EQ(message(ffn(24), 12),
            "project_gated: the next input's dim is 12, expected a multiple of 8");
  EXPECT_EQ(message(ffn(32), 16, ops::InputFormat::int8_for_nibbles),
            "project_gated: the next input's dim is 16, expected a multiple of 32");
  ops::Matrix two = ffn(16);
  two.parts.push_back({.first_row = 16, .tensor = ffn(16)});
  EXPECT_EQ(message(two, 16), "project_gated: weight 'ffn_gate_up' is in 2 parts, expected one");
}

}  // namespace
}  // namespace handloom::test
