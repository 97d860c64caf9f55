#include "ops/project.h"

#include "ops/check.h"
#include "ops/project_cut.h"

#include <algorithm>

namespace handloom::ops {
void project(gpu::Encoder& enc, const Input& input, const Matrix& weight, const gpu::Tensor& bias,
             const gpu::Tensor& y, float eps) {
  const uint32_t out_dim = weight.out_dim();
  if (!check_shape(enc, "project", "y", y, {1, out_dim})) return;
  if (!check_matrix(enc, "project", weight, out_dim, input.dim)) return;
  if (!check_input(enc, "project", input, weight)) return;
  const bool has_bias = bias.buffer != nullptr;
  if (has_bias && !check_shape(enc, "project", "bias", bias, {out_dim})) return;

  for (const Matrix::Part& part : weight.parts) {
    const Cut cut = cut_for(enc, input, part);
    enc.dispatch({
        .kernel = kernels::project(act_variant(input.format), weight_variant(part.tensor.dtype),
                                   reduce_variant(input.form)),
        .bindings = {input.words, part.tensor, has_bias ? bias : input.words, y},
        .params = with_planes(kernels::ProjectParams{.out_dim = part.n_rows(),
                                                     .in_dim4 = input.dim / 4,
                                                     .first_output = part.first_row,
                                                     .has_bias = has_bias,
                                                     .n_sums = input.n_sums,
                                                     .eps = eps},
                              part),
        .constants = cut.constants,
        .workgroups = {ceil_div(part.n_rows(), cut.n_outputs), 1, 1},
        .bytes = input_bytes(input) + part.tensor.bytes() + uint64_t{4} * part.n_rows(),
    });
  }
}

bool can_project_residual(const Matrix& weight) {
  return std::all_of(weight.parts.begin(), weight.parts.end(), [](const Matrix::Part& part) {
    return part.first_row % kBlock == 0 && part.n_rows() % kBlock == 0;
  });
}

void project_residual(gpu::Encoder& enc, const Input& input, const Matrix& weight,
                      const gpu::Tensor& gamma, const gpu::Tensor& x, Input& next) {
  const uint32_t dim = weight.out_dim();
  if (!check_shape(enc, "project_residual", "x", x, {1, dim})) return;
  if (!check_shape(enc, "project_residual", "gamma", gamma, {dim})) return;
  if (!check_matrix(enc, "project_residual", weight, dim, input.dim)) return;
  if (!check_input(enc, "project_residual", input, weight)) return;
  if (!can_project_residual(weight)) {
    return enc.fail(fmt::format("project_residual: weight '{}' is cut within eight rows",
                                weight.parts[0].tensor.name));
  }
  if (!check_next(enc, "project_residual", next, dim)) return;

  for (const Matrix::Part& part : weight.parts) {
    Cut cut = cut_for(enc, input, part);
    cut.constants.push_back(next_format(next));
    enc.dispatch({
        .kernel =
            kernels::project_residual(act_variant(input.format), weight_variant(part.tensor.dtype),
                                      reduce_variant(input.form)),
        .bindings = {input.words, part.tensor, gamma, x, next.words},
        .params = with_planes(kernels::ProjectResidualParams{.out_dim = part.n_rows(),
                                                             .in_dim4 = input.dim / 4,
                                                             .first_output = part.first_row,
                                                             .next_dim = dim},
                              part),
        .constants = cut.constants,
        .workgroups = {ceil_div(part.n_rows(), cut.n_outputs), 1, 1},
        .bytes = input_bytes(input) + part.tensor.bytes() + uint64_t{16} * part.n_rows(),
    });
  }
  next.n_sums = dim / kBlock;
}

bool can_project_gated(const Matrix& weight) {
  return weight.parts.size() == 1 && weight.out_dim() % (2 * kBlock) == 0;
}

void project_gated(gpu::Encoder& enc, const Input& input, const Matrix& weight, Gate gate,
                   Input& next, float eps) {
  if (!check_matrix(enc, "project_gated", weight, 2 * next.dim, input.dim)) return;
  if (!check_input(enc, "project_gated", input, weight)) return;
  if (!check_next(enc, "project_gated", next, weight.out_dim() / 2)) return;
  if (!can_project_gated(weight)) {
    return enc.fail(fmt::format("project_gated: weight '{}' is in {} parts, expected one",
                                weight.parts[0].tensor.name, weight.parts.size()));
  }

  const Matrix::Part& part = weight.parts[0];
  Cut cut = cut_for(enc, input, part, 2);
  cut.constants.push_back(next_format(next));
  cut.constants.push_back({"is_gelu", static_cast<double>(gate == Gate::gelu)});
  enc.dispatch({
      .kernel = kernels::project_gated(act_variant(input.format), weight_variant(part.tensor.dtype),
                                       reduce_variant(input.form)),
      .bindings = {input.words, part.tensor, next.words},
      .params = with_planes(
          kernels::ProjectGatedParams{
              .next_dim = next.dim, .in_dim4 = input.dim / 4, .n_sums = input.n_sums, .eps = eps},
          part),
      .constants = cut.constants,
      .workgroups = {ceil_div(next.dim, cut.n_outputs), 1, 1},
      .bytes = input_bytes(input) + part.tensor.bytes() + input_bytes(next),
  });
  next.n_sums = 0;
}

}  // namespace handloom::ops
