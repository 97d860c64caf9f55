#include "ops/experts.h"

#include "ops/check.h"

namespace handloom::ops {
namespace {

constexpr uint32_t kMaxExperts = 512;  // as in route_experts.wgsl

}  // namespace

void route_experts(gpu::Encoder& enc, const gpu::Tensor& router_logits,
                   const gpu::Tensor& expert_ids, const gpu::Tensor& shares, bool normalise) {
  const uint32_t rows = router_logits.dim(0), n_experts = router_logits.dim(1);
  const uint32_t n_used = expert_ids.dim(1);

  if (!check_shape(enc, "route_experts", "expert_ids", expert_ids, {rows, n_used})) return;
  if (!check_shape(enc, "route_experts", "shares", shares, {rows, n_used})) return;
  if (!check_most(enc, "route_experts", "n_experts", n_experts, kMaxExperts)) return;
  if (!check_most(enc, "route_experts", "n_used", n_used, n_experts)) return;

  enc.dispatch({
      .kernel = kernels::route_experts(),
      .bindings = {router_logits, expert_ids, shares},
      .params =
          kernels::RouteExpertsParams{
              .n_experts = n_experts, .n_used = n_used, .normalise = normalise ? 1u : 0u},
      .workgroups = {rows, 1, 1},
  });
}

void matmul_experts(gpu::Encoder& enc, const gpu::Tensor& x, const gpu::Tensor& expert_ids,
                    const Matrix& weight, const gpu::Tensor& y) {
  const uint32_t n_slots = y.dim(0), out_dim = y.dim(1), in_dim = x.dim(1);
  const uint32_t slots_per_x_row = x.dim(0) == n_slots ? 1 : expert_ids.dim(1);

  if (!check_shape(enc, "matmul_experts", "x", x, {n_slots / slots_per_x_row, in_dim})) return;
  if (!check_matrix(enc, "matmul_experts", weight, weight.out_dim(), in_dim)) return;
  if (expert_ids.count() != n_slots) {
    return enc.fail("matmul_experts: y has another number of slots than expert_ids");
  }

  const uint32_t n_outputs = outputs_per_workgroup(enc, out_dim);
  for (const Matrix::Part& part : weight.parts) {
    if (!check_multiple(enc, "matmul_experts", "weight rows", part.n_rows(), out_dim)) return;
    if (!check_multiple(enc, "matmul_experts", "first row", part.first_row, out_dim)) return;
    enc.dispatch({
        .kernel = kernels::matmul_experts(weight_variant(part.tensor.dtype), reduce_variant(enc)),
        .bindings = {x, expert_ids, part.tensor, y},
        .params = with_planes(kernels::MatmulExpertsParams{.out_dim = out_dim,
                                                           .in_dim4 = in_dim / 4,
                                                           .slots_per_x_row = slots_per_x_row,
                                                           .first_expert = part.first_row / out_dim,
                                                           .n_experts = part.n_rows() / out_dim},
                              part),
        .constants = team_constants(enc, n_outputs),
        .workgroups = {ceil_div(out_dim, n_outputs), n_slots, 1},
        // Which slots fall into which part is not known here: each part counts as its share.
        .bytes =
            x.bytes() + y.bytes() + n_slots * part.tensor.bytes() / (weight.out_dim() / out_dim),
    });
  }
}

void combine_experts(gpu::Encoder& enc, const gpu::Tensor& x, const gpu::Tensor& shares,
                     const gpu::Tensor& y) {
  const uint32_t rows = y.dim(0), dim = y.dim(1), n_used = shares.dim(1);

  if (!check_shape(enc, "combine_experts", "x", x, {rows * n_used, dim})) return;
  if (!check_shape(enc, "combine_experts", "shares", shares, {rows, n_used})) return;
  if (!check_multiple(enc, "combine_experts", "dim", dim, 4)) return;

  enc.dispatch({
      .kernel = kernels::combine_experts(),
      .bindings = {x, shares, y},
      .params = kernels::CombineExpertsParams{.dim4 = dim / 4, .n_used = n_used},
      .workgroups = {ceil_div(dim / 4, 64), rows, 1},
  });
}

}  // namespace handloom::ops
