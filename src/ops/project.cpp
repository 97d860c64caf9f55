#include "ops/project.h"

#include "ops/check.h"

#include <algorithm>

namespace handloom::ops {
namespace {

constexpr uint32_t kBlock = 8;  // values that are stored together: kernels/lib/store_input.wgsl

/// How the workgroups of these kernels are cut.
struct Cut {
  uint32_t workgroup = 64;
  uint32_t outputs = 16;
  uint32_t pairs_workgroup = 64;  // of project_qkv, which has eight pairs of outputs

  std::vector<gpu::Constant> constants() const {
    return {{"workgroup_size", static_cast<double>(workgroup)},
            {"outputs_per_workgroup", static_cast<double>(outputs)}};
  }
};

/// On a GPU sixteen teams with an output each, or eight where workgroups are small: all outputs are
/// under way at once. On a software adapter a workgroup costs more than it brings, so there are
/// fewer.
Cut cut_for(const gpu::Encoder& enc) {
  const AdapterInfo& adapter = enc.device().adapter();
  if (adapter.kind == AdapterKind::software) return {};
  if (!enc.features().subgroups) return {.workgroup = 64, .outputs = kBlock};
  const uint32_t team = std::max(1u, enc.features().min_subgroup_size);
  const uint32_t most = adapter.limits.max_invocations;
  const uint32_t n_teams = most >= 2 * kBlock * team ? 2 * kBlock : kBlock;
  return {.workgroup = std::min(n_teams * team, most),
          .outputs = n_teams,
          .pairs_workgroup = std::min(kBlock * team, most)};
}

kernels::Act act_variant(InputFormat format) {
  return format == InputFormat::f32 ? kernels::Act::f32 : kernels::Act::int8;
}

uint64_t input_bytes(const Input& input) {
  return input.format == InputFormat::f32 ? uint64_t{4} * input.dim : uint64_t{2} * input.dim;
}

bool check_input(gpu::Encoder& enc, std::string_view op, const Input& input, const Matrix& weight) {
  const bool is_int8 = input.format != InputFormat::f32;
  if (!check_multiple(enc, op, "in_dim", input.dim, is_int8 ? 32 : kBlock)) return false;
  if (!is_int8 || int8_format_for(weight) == input.format) return true;
  enc.fail(fmt::format("{}: the input is in 8 bits, which weight '{}' cannot read", op,
                       weight.parts[0].tensor.name));
  return false;
}

}  // namespace

InputFormat int8_format_for(const Matrix& weight) {
  InputFormat common = InputFormat::f32;
  for (const Matrix::Part& part : weight.parts) {
    InputFormat format = InputFormat::f32;
    switch (part.tensor.dtype) {
      case DType::q4_0:
      case DType::q4_k:
      case DType::q6_k:
      case DType::mlc_q4: format = InputFormat::int8_for_nibbles; break;
      case DType::q8_0: format = InputFormat::int8_for_bytes; break;
      default: return InputFormat::f32;
    }
    if (&part != &weight.parts.front() && format != common) return InputFormat::f32;
    common = format;
  }
  return common;
}

void project(gpu::Encoder& enc, const Input& input, const Matrix& weight, const gpu::Tensor& bias,
             const gpu::Tensor& y, float eps) {
  const uint32_t out_dim = weight.out_dim();
  if (!check_shape(enc, "project", "y", y, {1, out_dim})) return;
  if (!check_matrix(enc, "project", weight, out_dim, input.dim)) return;
  if (!check_input(enc, "project", input, weight)) return;
  const bool has_bias = bias.buffer != nullptr;
  if (has_bias && !check_shape(enc, "project", "bias", bias, {out_dim})) return;

  const Cut cut = cut_for(enc);
  for (const Matrix::Part& part : weight.parts) {
    enc.dispatch({
        .kernel = kernels::project(act_variant(input.format), weight_variant(part.tensor.dtype),
                                   reduce_variant(enc)),
        .bindings = {input.words, part.tensor, has_bias ? bias : input.words, y},
        .params = with_planes(kernels::ProjectParams{.out_dim = part.n_rows(),
                                                     .in_dim4 = input.dim / 4,
                                                     .first_output = part.first_row,
                                                     .has_bias = has_bias,
                                                     .n_sums = input.n_sums,
                                                     .eps = eps},
                              part),
        .constants = cut.constants(),
        .workgroups = {ceil_div(part.n_rows(), cut.outputs), 1, 1},
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

  const Cut cut = cut_for(enc);
  for (const Matrix::Part& part : what.weight.parts) {
    enc.dispatch({
        .kernel = kernels::project_qkv(
            what.kv.dtype == DType::f16 ? kernels::Page::f16 : kernels::Page::f32,
            act_variant(input.format), weight_variant(part.tensor.dtype), reduce_variant(enc)),
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
        .constants = {{"workgroup_size", static_cast<double>(cut.pairs_workgroup)}},
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

  const Cut cut = cut_for(enc);
  for (const Matrix::Part& part : weight.parts) {
    enc.dispatch({
        .kernel = kernels::project_residual(act_variant(input.format),
                                            weight_variant(part.tensor.dtype), reduce_variant(enc)),
        .bindings = {input.words, part.tensor, gamma, x, next.words},
        .params = with_planes(
            kernels::ProjectResidualParams{.out_dim = part.n_rows(),
                                           .in_dim4 = input.dim / 4,
                                           .first_output = part.first_row,
                                           .next_dim = dim,
                                           .next_format = static_cast<uint32_t>(next.format)},
            part),
        .constants = cut.constants(),
        .workgroups = {ceil_div(part.n_rows(), cut.outputs), 1, 1},
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

  const Cut cut = cut_for(enc);
  const Matrix::Part& part = weight.parts[0];
  enc.dispatch({
      .kernel = kernels::project_gated(act_variant(input.format), weight_variant(part.tensor.dtype),
                                       reduce_variant(enc)),
      .bindings = {input.words, part.tensor, next.words},
      .params = with_planes(
          kernels::ProjectGatedParams{.next_dim = next.dim,
                                      .in_dim4 = input.dim / 4,
                                      .n_sums = input.n_sums,
                                      .eps = eps,
                                      .is_gelu = gate == Gate::gelu,
                                      .next_format = static_cast<uint32_t>(next.format)},
          part),
      .constants = cut.constants(),
      .workgroups = {ceil_div(next.dim, cut.outputs), 1, 1},
      .bytes = input_bytes(input) + part.tensor.bytes() + input_bytes(next),
  });
  next.n_sums = 0;
}

}  // namespace handloom::ops
