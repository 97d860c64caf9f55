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
    const Cut cut = cut_for(enc, input, part.n_rows());
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

bool can_project_qkv(const Matrix& weight, const gpu::Tensor& cos_sin, const gpu::Tensor& kv,
                     const Heads& heads) {
  const uint32_t rope_dim = 2 * cos_sin.dim(1);
  return heads.head_dim % (2 * kBlock) == 0 && rope_dim % 4 == 0 &&
         (kv.dtype == DType::f32 || kv.dtype == DType::f16) &&
         std::all_of(weight.parts.begin(), weight.parts.end(), [&](const Matrix::Part& part) {
           return part.first_row % heads.head_dim == 0 && part.n_rows() % heads.head_dim == 0;
         });
}

void project_qkv(gpu::Encoder& enc, const Input& input, const QkvProjection& what) {
  const Heads& heads = what.heads;
  const uint32_t half_dim = what.cos_sin.dim(1);
  if (!check_matrix(enc, "project_qkv", what.weight, heads.row_dim(), input.dim)) return;
  if (!check_input(enc, "project_qkv", input, what.weight)) return;
  if (!check_shape(enc, "project_qkv", "qkv", what.qkv, {1, heads.row_dim()})) return;
  if (!check_shape(enc, "project_qkv", "positions", what.positions, {1})) return;
  if (!check_most(enc, "project_qkv", "rope_dim", 2 * half_dim, heads.head_dim)) return;
  if (!check_kv_shape(enc, "project_qkv", what.kv, heads)) return;
  const bool has_bias = what.bias.buffer != nullptr;
  if (has_bias && !check_shape(enc, "project_qkv", "bias", what.bias, {heads.row_dim()})) return;
  if (!can_project_qkv(what.weight, what.cos_sin, what.kv, heads)) {
    return enc.fail(
        fmt::format("project_qkv: '{}' has parts, pages or dimensions that it cannot take",
                    what.weight.parts[0].tensor.name));
  }

  for (const Matrix::Part& part : what.weight.parts) {
    const Cut cut = cut_for_pairs(enc, input, part.n_rows() / 2);
    enc.dispatch({
        .kernel = kernels::project_qkv(
            what.kv.dtype == DType::f16 ? kernels::Page::f16 : kernels::Page::f32,
            act_variant(input.format), weight_variant(part.tensor.dtype),
            reduce_variant(input.form)),
        .bindings = {input.words, part.tensor, has_bias ? what.bias : what.cos_sin, what.positions,
                     what.cos_sin, what.page_table, what.qkv, what.kv},
        .params =
            with_planes(kernels::ProjectQkvParams{.in_dim4 = input.dim / 4,
                                                  .first_head = part.first_row / heads.head_dim,
                                                  .n_heads = heads.n_heads,
                                                  .n_kv_heads = heads.n_kv_heads,
                                                  .head_dim = heads.head_dim,
                                                  .half_dim = half_dim,
                                                  .has_bias = has_bias,
                                                  .n_sums = input.n_sums,
                                                  .eps = what.eps},
                        part),
        .constants = cut.constants,
        .workgroups = {part.n_rows() / (2 * kBlock), 1, 1},
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
    Cut cut = cut_for(enc, input, part.n_rows());
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
  Cut cut = cut_for(enc, input, next.dim, 2);
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
