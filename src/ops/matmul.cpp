#include "ops/matmul.h"

#include "ops/check.h"

namespace handloom::ops {
namespace {

constexpr uint32_t kTile = 32;                 // as in matmul_tile.wgsl
constexpr uint32_t kOutputsPerWorkgroup = 16;  // as in matmul_vec.wgsl

}  // namespace

void matmul(gpu::Encoder& enc, const gpu::Tensor& x, const gpu::Tensor& weight,
            const gpu::Tensor& y) {
  const uint32_t rows = x.dim(0), in_dim = x.dim(1), out_dim = weight.dim(0);

  if (!check_shape(enc, "matmul", "weight", weight, {out_dim, in_dim})) return;
  if (!check_shape(enc, "matmul", "y", y, {rows, out_dim})) return;
  if (!check_multiple(enc, "matmul", "in_dim", in_dim, 4)) return;

  if (rows <= kMatmulVecRows) {
    enc.dispatch({
        .kernel = kernels::matmul_vec(weight_variant(weight), reduce_variant(enc)),
        .bindings = {x, weight, y},
        .params = kernels::MatmulVecParams{.out_dim = out_dim, .in_dim4 = in_dim / 4},
        .workgroups = {ceil_div(out_dim, kOutputsPerWorkgroup), rows, 1},
    });
  } else {
    enc.dispatch({
        .kernel = kernels::matmul_tile(weight_variant(weight)),
        .bindings = {x, weight, y},
        .params =
            kernels::MatmulTileParams{.rows = rows, .out_dim = out_dim, .in_dim4 = in_dim / 4},
        .workgroups = {ceil_div(out_dim, kTile), ceil_div(rows, kTile), 1},
    });
  }
}

}  // namespace handloom::ops
