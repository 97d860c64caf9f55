#include "ops/matmul.h"

#include "ops/check.h"
#include "ops/sharing.h"

#include <array>

namespace handloom::ops {
namespace {

constexpr uint32_t kTile = 32;      // as in matmul_tile.wgsl
constexpr uint32_t kWideTile = 64;  // as in matmul_wide.wgsl
constexpr uint32_t kLanesTile = 4;  // as in matmul_lanes.wgsl

/// From so many rows and tiles on matmul_wide is faster (docs/notebook/0014): below, a tile lacks
/// rows, or an H200's 132 multiprocessors lack tiles.
constexpr uint32_t kWideRows = 128;
constexpr uint32_t kWideTiles = 256;

/// The parameters that the kernels for many rows have.
template <class Params>
Params params_of(const gpu::Tensor& x, const Matrix::Part& part, uint32_t out_dim) {
  return with_planes(Params{.rows = x.dim(0),
                            .out_dim = part.n_rows(),
                            .in_dim4 = x.dim(1) / 4,
                            .y_dim = out_dim,
                            .first_output = part.first_row},
                     part);
}

/// Rows and outputs that a workgroup computes, its dispatch's grid.
std::array<uint32_t, 3> tiles_of(uint32_t tile, uint32_t rows, const Matrix::Part& part) {
  return {ceil_div(part.n_rows(), tile), ceil_div(rows, tile), 1};
}

ManyRows choose(const gpu::Encoder& enc, uint32_t rows, const Matrix::Part& part) {
  if (sharing_on(enc) == Sharing::lanes) return ManyRows::lanes;
  const auto tiles = tiles_of(kWideTile, rows, part);
  const bool is_wide = rows >= kWideRows && tiles[0] * tiles[1] >= kWideTiles;
  return is_wide ? ManyRows::wide : ManyRows::tile;
}

gpu::Dispatch vector_dispatch(const gpu::Encoder& enc, const gpu::Tensor& x,
                              const Matrix::Part& part, const gpu::Tensor& y) {
  const uint32_t n_outputs = outputs_per_workgroup(enc, part.n_rows());
  return {
      .kernel = kernels::matmul_vec(weight_variant(part.tensor.dtype), reduce_variant(enc)),
      .bindings = {x, part.tensor, y},
      .params = with_planes(kernels::MatmulVecParams{.out_dim = part.n_rows(),
                                                     .in_dim4 = x.dim(1) / 4,
                                                     .y_dim = y.dim(1),
                                                     .first_output = part.first_row},
                            part),
      .constants = team_constants(enc, n_outputs),
      .workgroups = {ceil_div(part.n_rows(), n_outputs), x.dim(0), 1},
  };
}

gpu::Dispatch dispatch_of(ManyRows how, const gpu::Encoder& enc, const gpu::Tensor& x,
                          const Matrix::Part& part, const gpu::Tensor& y) {
  const kernels::Weight weight = weight_variant(part.tensor.dtype);
  const uint32_t rows = x.dim(0), out_dim = y.dim(1);
  const gpu::Bindings bindings = {x, part.tensor, y};
  switch (how) {
    case ManyRows::tile:
      return {.kernel = kernels::matmul_tile(weight),
              .bindings = bindings,
              .params = params_of<kernels::MatmulTileParams>(x, part, out_dim),
              .workgroups = tiles_of(kTile, rows, part)};
    case ManyRows::wide:
      return {.kernel = kernels::matmul_wide(weight),
              .bindings = bindings,
              .params = params_of<kernels::MatmulWideParams>(x, part, out_dim),
              .workgroups = tiles_of(kWideTile, rows, part)};
    case ManyRows::lanes: break;
  }
  const uint32_t n_lanes = lanes_workgroup(enc);
  return {
      .kernel = kernels::matmul_lanes(weight),
      .bindings = bindings,
      .params = params_of<kernels::MatmulLanesParams>(x, part, out_dim),
      .constants = {{"workgroup_size", static_cast<double>(n_lanes)}},
      .workgroups = {ceil_div(part.n_rows(), kLanesTile * n_lanes), ceil_div(rows, kLanesTile), 1}};
}

}  // namespace

void prepare_matmul(gpu::Device& device, DType weight, uint32_t most_rows) {
  const bool has_lanes = device.adapter().kind == AdapterKind::software;  // which take any prompt
  if (has_lanes || most_rows < kWideRows) return;
  device.pipeline(kernels::matmul_wide(weight_variant(weight)), {});
}

void matmul(gpu::Encoder& enc, const gpu::Tensor& x, const Matrix& weight, const gpu::Tensor& y,
            std::optional<ManyRows> how) {
  const uint32_t rows = x.dim(0), out_dim = weight.out_dim();
  if (!check_shape(enc, "matmul", "y", y, {rows, out_dim})) return;
  if (!check_matrix(enc, "matmul", weight, out_dim, x.dim(1))) return;
  for (const Matrix::Part& part : weight.parts) {
    gpu::Dispatch dispatch =
        rows <= kMatmulVecRows
            ? vector_dispatch(enc, x, part, y)
            : dispatch_of(how.value_or(choose(enc, rows, part)), enc, x, part, y);
    dispatch.bytes = x.bytes() + part.tensor.bytes() + uint64_t{4} * rows * part.n_rows();
    enc.dispatch(std::move(dispatch));
  }
}

}  // namespace handloom::ops
