// What the products of the fused plan share: their variants, what they ask of an input, and how a
// dispatch is cut into workgroups.
#pragma once

#include "gpu/encoder.h"
#include "ops/check.h"
#include "ops/input.h"
#include "ops/matrix.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace handloom::ops {

/// Values that are stored together: kernels/lib/store_input.wgsl.
inline constexpr uint32_t kBlock = 8;

/// How the workgroups of one dispatch are cut.
struct Cut {
  uint32_t workgroup_size = 0;
  uint32_t n_outputs = 0;  // of a workgroup
  std::vector<gpu::Constant> constants = {};
};

/// For a part of a weight, of whose outputs the input's form says how many a workgroup takes, each
/// of one row or two.
Cut cut_for(const gpu::Encoder& enc, const Input& input, const Matrix::Part& part,
            uint32_t rows_per_output = 1);
/// In as few workgroups as can be without a team having two outputs: for a kernel whose workgroups
/// have work of their own before they multiply.
Cut cut_in_few(const gpu::Encoder& enc, const Input& input, const Matrix::Part& part);

/// Into workgroups of one vector, each with so many rows, whatever the input's form says of that.
Cut cut_by_rows(const gpu::Encoder& enc, const Input& input, const Matrix::Part& part,
                uint32_t n_rows);

kernels::Reduce reduce_variant(const ProjectForm& form);
kernels::Act act_variant(InputFormat format);
uint64_t input_bytes(const Input& input);

/// False, and the encoder will refuse to finish, unless the weight can be multiplied with the
/// input.
bool check_input(gpu::Encoder& enc, std::string_view op, const Input& input, const Matrix& weight);

}  // namespace handloom::ops
