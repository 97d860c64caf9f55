#include "ops/check.h"

#include "ops/slab_range.h"

#include <algorithm>

namespace handloom::ops {
namespace {

constexpr uint32_t kTeamsWorkgroup = 64;  // invocations of matmul_vec and matmul_experts

}  // namespace

bool check_shape(gpu::Encoder& enc, std::string_view op, std::string_view name,
                 const gpu::Tensor& tensor, const Shape& expected) {
  if (tensor.shape == expected) return true;
  enc.fail(fmt::format("{}: {} '{}' has shape {}, expected {}", op, name, tensor.name,
                       to_string(tensor.shape), to_string(expected)));
  return false;
}

bool check_multiple(gpu::Encoder& enc, std::string_view op, std::string_view name, uint32_t value,
                    uint32_t divisor) {
  if (divisor != 0 && value % divisor == 0) return true;
  enc.fail(fmt::format("{}: {} is {}, expected a multiple of {}", op, name, value, divisor));
  return false;
}

bool check_most(gpu::Encoder& enc, std::string_view op, std::string_view name, uint32_t value,
                uint32_t most) {
  if (value <= most) return true;
  enc.fail(fmt::format("{}: {} is {}, expected at most {}", op, name, value, most));
  return false;
}

bool check_matrix(gpu::Encoder& enc, std::string_view op, const Matrix& weight, uint32_t out_dim,
                  uint32_t in_dim) {
  uint32_t n_rows = 0;
  for (const Matrix::Part& part : weight.parts) {
    if (!check_shape(enc, op, "weight", part.tensor, {part.n_rows(), in_dim})) return false;
    if (!check_multiple(enc, op, "in_dim", in_dim, is_quantised(part.tensor.dtype) ? 32 : 4)) {
      return false;
    }
    n_rows += part.n_rows();
  }
  if (n_rows == out_dim) return true;
  enc.fail(fmt::format("{}: weight '{}' has {} rows, expected {}", op,
                       weight.empty() ? "" : weight.parts[0].tensor.name, n_rows, out_dim));
  return false;
}

bool check_next(gpu::Encoder& enc, std::string_view op, const Input& next, uint32_t dim) {
  if (next.dim != dim) {
    enc.fail(fmt::format("{}: the next input has {} values, expected {}", op, next.dim, dim));
    return false;
  }
  return check_multiple(enc, op, "the next input's dim", dim, multiple_of(next.format));
}

bool check_kv_shape(gpu::Encoder& enc, std::string_view op, const gpu::Tensor& kv,
                    const Heads& heads) {
  return check_shape(enc, op, "kv", kv,
                     {kv.dim(0), 2 * heads.n_kv_heads, 16, kv_row_dim(kv.dtype, heads.head_dim)});
}

kernels::Weight weight_variant(DType dtype) {
  using enum kernels::Weight;
  switch (dtype) {
    case DType::f16: return f16;
    case DType::bf16: return bf16;
    case DType::q4_0: return q4_0;
    case DType::q4_1: return q4_1;
    case DType::q5_0: return q5_0;
    case DType::q5_1: return q5_1;
    case DType::q8_0: return q8_0;
    case DType::q2_k: return q2_k;
    case DType::q3_k: return q3_k;
    case DType::q4_k: return q4_k;
    case DType::q5_k: return q5_k;
    case DType::q6_k: return q6_k;
    case DType::iq4_nl: return iq4_nl;
    case DType::mxfp4: return mxfp4;
    case DType::mlc_q4: return mlc_q4;
    case DType::mlc_q4f32: return mlc_q4f32;
    case DType::mlc_q3: return mlc_q3;
    case DType::int8_block: return int8_block;
    default: return f32;
  }
}

gpu::Constant next_format(const Input& next) {
  return {"next_format", static_cast<double>(next.format)};
}

bool is_software(const gpu::Encoder& enc) {
  return enc.device().adapter().kind == AdapterKind::software;
}

uint32_t outputs_per_workgroup(const gpu::Encoder& enc, uint32_t out_dim) {
  constexpr uint32_t kOnSoftware = 16;
  const AdapterInfo& adapter = enc.device().adapter();
  if (is_software(enc)) return kOnSoftware;
  const Features& features = enc.features();
  const uint32_t n_teams =
      features.subgroups ? std::max(1u, kTeamsWorkgroup / std::max(1u, features.min_subgroup_size))
                         : 1;
  const uint32_t least = ceil_div(out_dim, adapter.limits.max_workgroups);
  return ceil_div(std::max(n_teams, least), n_teams) * n_teams;
}

std::vector<gpu::Constant> team_constants(const gpu::Encoder& enc, uint32_t n_outputs) {
  const uint32_t rounds = team_rounds(enc, reduce_variant(enc), kTeamsWorkgroup, n_outputs);
  return {{"outputs_per_workgroup", static_cast<double>(n_outputs)},
          {"rounds", static_cast<double>(rounds)}};
}

uint32_t team_rounds(const gpu::Encoder& enc, kernels::Reduce reduce, uint32_t workgroup_size,
                     uint32_t n_outputs, uint32_t parts_per_team) {
  if (reduce == kernels::Reduce::tree) return n_outputs;
  const uint32_t widest = parts_per_team * enc.device().adapter().features.max_subgroup_size;
  return ceil_div(n_outputs, std::max(1u, workgroup_size / std::max(1u, widest)));
}

kernels::Kv kv_variant(const gpu::Tensor& kv) {
  switch (kv.dtype) {
    case DType::f16: return kernels::Kv::f16;
    case DType::i8: return kernels::Kv::int8;
    default: return kernels::Kv::f32;
  }
}

kernels::Reduce reduce_variant(const gpu::Encoder& enc) {
  return enc.features().subgroups ? kernels::Reduce::subgroup : kernels::Reduce::tree;
}

}  // namespace handloom::ops
