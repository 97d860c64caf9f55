#include "ops/attention_head.h"

#include "ops/check.h"
#include "ops/project_cut.h"

#include <algorithm>

namespace handloom::ops {
namespace {

/// Multiplications of a product up to which cores may idle while it lasts: a fraction of a
/// millisecond of one core's, where a dispatch costs 0.07 ms and two are spared.
constexpr uint64_t kFewProducts = uint64_t{1} << 19;

constexpr uint32_t kBindings = 10;  // storage buffers of the kernel

/// What a workgroup takes.
struct Shares {
  uint32_t q_per_kv;  // query heads
  uint32_t n_rows;    // of the weight
  uint32_t n_parts;   // that the keys are cut into for each query head

  Shares(const gpu::Encoder& enc, const Heads& heads)
      : q_per_kv(heads.n_heads / heads.n_kv_heads),
        n_rows((q_per_kv + 2) * heads.head_dim),
        n_parts(std::max(1u, lanes_workgroup(enc) / q_per_kv)) {}

  /// Bytes of workgroup memory: the rows twice, what parts of the keys found, and what lanes add up
  /// by.
  uint64_t bytes(const gpu::Encoder& enc, const Heads& heads) const {
    const uint64_t n_found = uint64_t{q_per_kv} * n_parts;
    return sizeof(float) * (2 * n_rows + n_found * (heads.head_dim + 2) + 8 * lanes_workgroup(enc));
  }
};

}  // namespace

bool can_attention_head(const gpu::Encoder& enc, const Input& input, const Matrix& weight,
                        const Heads& heads) {
  const Limits& limits = enc.device().adapter().limits;
  const DType type = weight.dtype();
  return sharing_on(enc) == Sharing::lanes && limits.max_bindings >= kBindings &&
         weight.parts.size() == 1 &&
         (type == DType::f32 || type == DType::f16 || type == DType::bf16) &&
         Shares(enc, heads).bytes(enc, heads) <= limits.max_workgroup_bytes &&
         uint64_t{weight.out_dim()} * input.dim <= kFewProducts;
}

void attention_head(gpu::Encoder& enc, const Input& input, const Matrix& weight,
                    const gpu::Tensor& bias, const SplitRow& row, const gpu::Tensor& kv,
                    const Scores& scores, uint32_t n_keys, Input& next) {
  const Heads& heads = row.heads;
  const uint32_t row_dim = heads.row_dim(), dim = heads.n_heads * heads.head_dim;
  const bool norms = row.has_norms(), has_bias = bias.buffer != nullptr;
  if (!check_matrix(enc, "attention_head", weight, row_dim, input.dim)) return;
  if (!check_input(enc, "attention_head", input, weight)) return;
  if (has_bias && !check_shape(enc, "attention_head", "bias", bias, {row_dim})) return;
  if (!check_row(enc, "attention_head", row)) return;
  if (!check_kv_shape(enc, "attention_head", kv, heads)) return;
  if (!check_multiple(enc, "attention_head", "head_dim", heads.head_dim, kBlock)) return;
  if (!check_next(enc, "attention_head", next, dim)) return;
  if (!check_most(enc, "attention_head", "parts of the weight",
                  static_cast<uint32_t>(weight.parts.size()), 1)) {
    return;
  }

  const Matrix::Part& part = weight.parts[0];
  const Shares shares(enc, heads);
  Cut cut = cut_by_rows(enc, input, part, shares.n_rows);
  cut.constants.push_back(next_format(next));
  cut.constants.push_back({"q_per_kv", static_cast<double>(shares.q_per_kv)});
  cut.constants.push_back({"n_parts", static_cast<double>(shares.n_parts)});
  cut.constants.push_back({"head_values", static_cast<double>(heads.head_dim / 4)});
  enc.dispatch({
      .kernel =
          kernels::attention_head(act_variant(input.format), weight_variant(part.tensor.dtype),
                                  reduce_variant(input.form), kv_variant(kv)),
      .bindings = {input.words, part.tensor, has_bias ? bias : input.words, row.positions,
                   row.cos_sin, norms ? row.q_weight : row.cos_sin,
                   norms ? row.k_weight : row.cos_sin, row.page_table, kv, next.words},
      .params = with_planes(kernels::AttentionHeadParams{.in_dim4 = input.dim / 4,
                                                         .has_bias = has_bias,
                                                         .n_sums = input.n_sums,
                                                         .eps = row.eps,
                                                         .n_kv_heads = heads.n_kv_heads,
                                                         .head_dim4 = heads.head_dim / 4,
                                                         .half_dim = row.cos_sin.dim(1),
                                                         .norms = norms,
                                                         .scale = scores.scale,
                                                         .window = scores.window,
                                                         .softcap = scores.softcap,
                                                         .next_dim = dim},
                            part),
      .constants = cut.constants,
      .workgroups = {heads.n_kv_heads, 1, 1},
      .bytes = input_bytes(input) + part.tensor.bytes() +
               seen_bytes(kv, heads, scores, n_keys, 0, n_keys) + input_bytes(next),
  });
  next.n_sums = 0;
}

}  // namespace handloom::ops
