// Cases of the matrix products: of rows in f32, and of the fused plan's inputs with what follows.
#include "checks/input_data.h"
#include "checks/kernel_cases.h"
#include "checks/rope_data.h"
#include "ops/embed.h"
#include "ops/matmul.h"
#include "ops/prepare_input.h"
#include "ops/project.h"
#include "ops/project_attended.h"
#include "reference/embed.h"
#include "reference/rope.h"
#include "reference/swiglu.h"

#include <fmt/format.h>

namespace handloom::checks {
namespace {

using Format = ops::InputFormat;

/// A type for each shape of a weight's planes, where one of all types would only take longer.
constexpr QuantisedType kSomeTypes[] = {{DType::f32},  {DType::f16},  {DType::bf16},
                                        {DType::q4_0}, {DType::q8_0}, {DType::mlc_q4}};

constexpr std::pair<const char*, ops::ManyRows> kForManyRows[] = {
    {"matmul_tile", ops::ManyRows::tile},
    {"matmul_wide", ops::ManyRows::wide},
    {"matmul_lanes", ops::ManyRows::lanes}};

std::string describe(const QuantisedType& type) {
  std::string text = fmt::format("weight {}", handloom::to_string(type.file));
  if (type.group > 0) text += fmt::format(" of groups of {}", type.group);
  return text;
}

std::vector<Expectation> embed(KernelRun& run, const QuantisedType& type) {
  const uint32_t dim = 3 * row_multiple(type);
  const QuantisedWeight weight(type, 17, dim, 1);
  const std::vector<uint32_t> ids = {16, 0, 5, 5, 9};
  const gpu::Tensor x = run.out("x", {5, dim});
  ops::embed(run.encoder(), run.in("token_ids", ids), weight.on_gpu(run), x);
  return {{x, reference::embed(ids, weight.values())}};
}

/// What a kernel left for the next matrix, in f32.
Expectation of_input(const ops::Input& next, Host want, Tolerance tolerance) {
  const uint32_t dim = next.dim;
  return {.tensor = next.words,
          .want = std::move(want),
          .tolerance = std::move(tolerance),
          .read = [dim](std::span<const uint32_t> words) {
            return reference::read_input(words, dim, reference::InputFormat::f32);
          }};
}

/// x * gamma, where a kernel rounded x before: two roundings more.
Host times(Host x, const Host& gamma) {
  for (size_t i = 0; i < x.values.size(); ++i) x.values[i] *= gamma.values[i];
  return x;
}

std::vector<Expectation> embed_input(KernelRun& run, const QuantisedType& type) {
  const uint32_t dim = 3 * row_multiple(type);
  const QuantisedWeight weight(type, 17, dim, 1);
  const std::vector<uint32_t> ids = {16};
  const Host gamma = ramp({dim}, 3), want = reference::embed(ids, weight.values());
  const gpu::Tensor x = run.out("x", {1, dim});
  ops::Input next = next_input(run, dim, Format::f32);
  ops::embed_input(run.encoder(), run.in("token_ids", ids), weight.on_gpu(run),
                   run.in("gamma", gamma), x, next);
  return {{x, want}, of_input(next, times(want, gamma), {.roundings = 2})};
}

std::vector<Expectation> matmul(KernelRun& run, const QuantisedType& type, uint32_t rows,
                                std::optional<ops::ManyRows> how = {}) {
  const uint32_t in_dim = 3 * row_multiple(type), out_dim = 37;
  const QuantisedWeight weight(type, out_dim, in_dim, 2);
  const Host x = ramp({rows, in_dim}, 1), values = weight.values();
  const gpu::Tensor y = run.out("y", {rows, out_dim});
  ops::matmul(run.encoder(), run.in("x", x), weight.on_gpu(run), y, how);
  return {{y,
           reference::matmul(x, values),
           {.roundings = in_dim + 1.0,
            .magnitude = reference::matmul(magnitudes(x), magnitudes(values))}}};
}

std::vector<Expectation> prepare_input(KernelRun& run) {
  constexpr uint32_t kDim = 2080;
  const Host before = ramp({1, kDim}, 1), p = ramp({1, kDim}, 2), gamma = ramp({kDim}, 3);
  const gpu::Tensor x = run.inout("x", before);
  ops::Input next = next_input(run, kDim, Format::f32);
  ops::add_and_prepare_input(run.encoder(), run.in("p", p), {}, run.in("gamma", gamma), x, next,
                             0.25f);
  Host sum = before;
  for (uint32_t i = 0; i < kDim; ++i) sum.values[i] += p.values[i];
  return {{x, sum}, of_input(next, times(sum, gamma), {.roundings = 2})};
}

struct MatrixCase {
  QuantisedType type;
  Format format;
  uint32_t in_dim = 0, n_sums = 0;
};

MatrixCase matrix_case(const QuantisedType& type, Format format, bool norms) {
  const uint32_t in_dim = 4 * row_multiple(type);
  return {type, format, in_dim, norms ? in_dim / 8 : 0};
}

std::string describe(const MatrixCase& c) {
  return fmt::format("{} x {}, input {}", describe(c.type), c.in_dim, to_string(c.format));
}

std::vector<Expectation> project(KernelRun& run, const MatrixCase& c) {
  constexpr uint32_t kOutDim = 37;
  const QuantisedWeight weight(c.type, kOutDim, c.in_dim, 2);
  const GivenInput input(c.in_dim, c.format, c.n_sums);
  const gpu::Tensor y = run.out("y", {1, kOutDim});
  ops::project(run.encoder(), input.on_gpu(run), weight.on_gpu(run), {}, y, GivenInput::kEps);
  const Product product = input.times(weight.values());
  return {{y, product.want, {.roundings = product.roundings, .magnitude = product.magnitude}}};
}

std::vector<Expectation> project_residual(KernelRun& run, const MatrixCase& c) {
  constexpr uint32_t kDim = 96;
  const QuantisedWeight weight(c.type, kDim, c.in_dim, 2);
  const GivenInput input(c.in_dim, c.format, 0);
  const Host gamma = ramp({kDim}, 3), before = ramp({1, kDim}, 4);
  const gpu::Tensor x = run.inout("x", before);
  ops::Input next = next_input(run, kDim, Format::f32);
  ops::project_residual(run.encoder(), input.on_gpu(run), weight.on_gpu(run),
                        run.in("gamma", gamma), x, next);
  Product product = input.times(weight.values());
  for (uint32_t n = 0; n < kDim; ++n) {
    product.want.values[n] += before.values[n];
    product.magnitude.values[n] += std::abs(before.values[n]);
  }
  const Tolerance of_sum = {.roundings = product.roundings + 2, .magnitude = product.magnitude};
  const Tolerance of_next = {.roundings = product.roundings + 4,
                             .magnitude = times(product.magnitude, magnitudes(gamma))};
  return {{x, product.want, of_sum}, of_input(next, times(product.want, gamma), of_next)};
}

/// Two spans: each head finds its values in one of them and nothing in the other, so that attention
/// is these values to the bit.
std::vector<Expectation> project_attended(KernelRun& run, const MatrixCase& c) {
  constexpr uint32_t kDim = 96, kHeads = 4, kSpans = 2;
  const uint32_t head_dim = c.in_dim / kHeads;
  const QuantisedWeight weight(c.type, kDim, c.in_dim, 2);
  const Host row = ramp({1, c.in_dim}, 1), gamma = ramp({kDim}, 3), before = ramp({1, kDim}, 4);
  Host spans({kSpans + 1, kHeads, ops::span_dim(head_dim)});  // the row's own key has no weight
  for (uint32_t h = 0; h < kHeads; ++h) {
    float* span = &spans.values[(h % kSpans * kHeads + h) * ops::span_dim(head_dim)];
    span[1] = 1;
    std::copy_n(row.values.begin() + h * head_dim, head_dim, span + 4);
  }
  const gpu::Tensor x = run.inout("x", before);
  const gpu::Tensor positions = run.in("positions", std::vector<uint32_t>{kSpans * ops::kSpan});
  const gpu::Tensor spans_gpu = run.in("spans", spans);
  ops::Input next = next_input(run, kDim, Format::f32);
  ops::project_attended(run.encoder(),
                        {.positions = positions,
                         .spans = spans_gpu,
                         .heads = {kHeads, kHeads, head_dim},
                         .scores = {},
                         .n_keys = kSpans * ops::kSpan + 1},
                        {.dim = c.in_dim, .format = c.format, .form = by_rule(run.encoder())},
                        weight.on_gpu(run), run.in("gamma", gamma), x, next);
  Product product = GivenInput(c.in_dim, c.format, 0).times(weight.values());
  for (uint32_t n = 0; n < kDim; ++n) {
    product.want.values[n] += before.values[n];
    product.magnitude.values[n] += std::abs(before.values[n]);
  }
  const Tolerance of_next = {.roundings = product.roundings + 4,
                             .magnitude = times(product.magnitude, magnitudes(gamma))};
  Expectation out = of_input(next, times(product.want, gamma), of_next);
  const double roundings = product.roundings + 2;
  return {{x, product.want, {.roundings = roundings, .magnitude = product.magnitude}}, out};
}

/// silu(gate) * up. silu changes by at most 1.1 of the error of gate and has its own (exp, a sum, a
/// quotient); a product and the reference are left.
std::vector<Expectation> project_gated(KernelRun& run, const MatrixCase& c) {
  constexpr uint32_t kDim = 32;
  const QuantisedWeight weight(c.type, 2 * kDim, c.in_dim, 2);
  const GivenInput input(c.in_dim, c.format, c.n_sums);
  ops::Input next = next_input(run, kDim, Format::f32);
  ops::project_gated(run.encoder(), input.on_gpu(run), weight.on_gpu(run), ops::Gate::silu, next,
                     GivenInput::kEps);
  const Product product = input.times(weight.values());
  const Host want = reference::swiglu(product.want);
  Host magnitude(want.shape);
  double largest_gate = 0;
  for (uint32_t i = 0; i < kDim; ++i) {
    const float gate = product.magnitude.values[i], up = product.magnitude.values[kDim + i];
    largest_gate = std::max(largest_gate, std::abs(double{product.want.values[i]}));
    magnitude.values[i] = 1.1f * gate * std::abs(product.want.values[kDim + i]) +
                          std::abs(product.want.values[i]) * up;
  }
  const double own = exp_roundings(largest_gate) + 1 + kDivision + 2;
  return {of_input(next, want, {.roundings = product.roundings + own, .magnitude = magnitude})};
}

using Checked = std::vector<Expectation> (*)(KernelRun&, const MatrixCase&);

void add_products(KernelCases& cases, const Features& features, std::string_view kernel,
                  Checked check, std::span<const QuantisedType> types, bool norms) {
  for (const QuantisedType& type : types) {
    for (const Format format : formats_for(type, features)) {
      const MatrixCase c = matrix_case(type, format, norms);
      cases.push_back(
          {std::string(kernel), describe(c), [check, c](KernelRun& run) { return check(run, c); }});
    }
  }
}

}  // namespace

void add_matrix_cases(KernelCases& cases, const Features& features) {
  for (const QuantisedType& type : kSomeTypes) {
    cases.push_back({"embed", describe(type), [type](KernelRun& run) { return embed(run, type); }});
    cases.push_back(
        {"embed_input", describe(type), [type](KernelRun& run) { return embed_input(run, type); }});
    for (const auto& [kernel, how] : kForManyRows) {
      cases.push_back({kernel, "33 rows, " + describe(type),
                       [type, how](KernelRun& run) { return matmul(run, type, 33, how); }});
    }
  }
  const std::vector<QuantisedType> all = weight_types();
  for (const QuantisedType& type : all) {
    cases.push_back({"matmul_vec", "a row, " + describe(type),
                     [type](KernelRun& run) { return matmul(run, type, 1); }});
  }
  cases.push_back({"prepare_input", "after a sum", prepare_input});
  add_products(cases, features, "project", project, all, true);
  add_products(cases, features, "project_residual", project_residual, kSomeTypes, false);
  add_products(cases, features, "project_attended", project_attended, kSomeTypes, false);
  add_products(cases, features, "project_gated", project_gated, kSomeTypes, true);
}

}  // namespace handloom::checks
