// What every op does first: compare shapes with what it expects, and choose a variant.
#pragma once

#include "gpu/encoder.h"
#include "kernels/kernels.h"
#include "ops/heads.h"
#include "ops/input.h"
#include "ops/matrix.h"

#include <string_view>
#include <vector>

namespace handloom::ops {

/// False, and the encoder will refuse to finish, unless the shapes agree. Shapes are checked
/// against files and options long before; a failure here is a mistake of ours.
bool check_shape(gpu::Encoder& enc, std::string_view op, std::string_view name,
                 const gpu::Tensor& tensor, const Shape& expected);
bool check_multiple(gpu::Encoder& enc, std::string_view op, std::string_view name, uint32_t value,
                    uint32_t divisor);
bool check_most(gpu::Encoder& enc, std::string_view op, std::string_view name, uint32_t value,
                uint32_t most);

/// False likewise, unless the parts of a weight are [.., in_dim] and add up to out_dim rows.
bool check_matrix(gpu::Encoder& enc, std::string_view op, const Matrix& weight, uint32_t out_dim,
                  uint32_t in_dim);
/// Room for the input of the next matrix: `dim` values, a multiple of 8, in 8 bits of 32.
bool check_next(gpu::Encoder& enc, std::string_view op, const Input& next, uint32_t dim);
/// A slab of a KV cache: [n_pages, 2 * n_kv_heads, 16, what a row takes].
bool check_kv_shape(gpu::Encoder& enc, std::string_view op, const gpu::Tensor& kv,
                    const Heads& heads);
/// The variant that reads a weight of this type.
kernels::Weight weight_variant(DType dtype);

/// Where the planes of a weight lie, for the parameters that all kernels with a weight end in.
template <class Params>
Params with_planes(Params params, const Matrix::Part& part) {
  const PlaneLayout layout = part.layout();
  params.scales_at = static_cast<uint32_t>(layout.at(Plane::scales));
  params.supers_at = static_cast<uint32_t>(layout.at(Plane::supers));
  params.high_at = static_cast<uint32_t>(layout.at(Plane::high));
  params.group4 = layout.group / 4;
  return params;
}

/// The variant that reads and writes a KV page of this type.
kernels::Kv kv_variant(const gpu::Tensor& kv);
/// Whether the encoder's adapter computes on the CPU.
bool is_software(const gpu::Encoder& enc);

/// Subgroup operations where the encoder allows them.
kernels::Reduce reduce_variant(const gpu::Encoder& enc);

/// Tells a kernel how to leave the next input (kernels/lib/store_input.wgsl).
gpu::Constant next_format(const Input& next);

/// Outputs that a workgroup of matmul_vec or matmul_experts computes: on a GPU one for each team,
/// so that all are under way at once; on a software adapter more, where a workgroup costs more than
/// it brings. `out_dim` outputs make no more workgroups than the adapter allows.
uint32_t outputs_per_workgroup(const gpu::Encoder& enc, uint32_t out_dim);
/// Tells those kernels so.
std::vector<gpu::Constant> team_constants(const gpu::Encoder& enc, uint32_t n_outputs);

/// Rounds in which the teams of a workgroup take `n_outputs`: enough where subgroups are as large
/// as the device may make them.
uint32_t team_rounds(const gpu::Encoder& enc, kernels::Reduce reduce, uint32_t workgroup_size,
                     uint32_t n_outputs, uint32_t parts_per_team = 1);

constexpr uint32_t ceil_div(uint32_t a, uint32_t b) { return (a + b - 1) / b; }

}  // namespace handloom::ops
