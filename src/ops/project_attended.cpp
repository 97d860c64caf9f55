#include "ops/project_attended.h"

#include "ops/project.h"
#include "ops/project_cut.h"

#include <algorithm>

namespace handloom::ops {
namespace {

/// Up to so many values of all spans it costs less to put them together in every workgroup than in
/// a dispatch (docs/notebook/0010).
constexpr uint32_t kFewValues = 24576;

/// Of 16 KiB of workgroup memory, beside what the teams need.
constexpr uint32_t kMostKept = 12288;

}  // namespace

bool can_project_attended(const gpu::Encoder& enc, const Input& input, const Matrix& weight,
                          const Scores& scores, uint32_t end) {
  // On a software adapter workgroups run one after the other.
  if (is_software(enc)) return false;
  const uint32_t n_keys = scores.window > 0 ? std::min(scores.window + kSpan, end) : end;
  return can_project_residual(weight) && ceil_div(n_keys, kSpan) * input.dim <= kFewValues &&
         bytes_of(input.format, input.dim) <= kMostKept;
}

void project_attended(gpu::Encoder& enc, const Attended& attended, const Input& input,
                      const Matrix& weight, const gpu::Tensor& gamma, const gpu::Tensor& x,
                      Input& next) {
  const Heads& heads = attended.heads;
  const uint32_t dim = weight.out_dim(), in_dim = heads.n_heads * heads.head_dim;
  if (!check_spans(enc, "project_attended", attended.spans, heads)) return;
  if (!check_shape(enc, "project_attended", "positions", attended.positions, {1})) return;
  if (!check_shape(enc, "project_attended", "x", x, {1, dim})) return;
  const bool adds = gamma.buffer != nullptr;
  if (adds && !check_shape(enc, "project_attended", "gamma", gamma, {dim})) return;
  if (!check_matrix(enc, "project_attended", weight, dim, in_dim)) return;
  if (!check_input(enc, "project_attended", input, weight)) return;
  if (!check_multiple(enc, "project_attended", "head_dim", heads.head_dim, kBlock)) return;
  if (!check_most(enc, "project_attended", "what a workgroup keeps",
                  bytes_of(input.format, input.dim), kMostKept)) {
    return;
  }
  if (!can_project_residual(weight)) {
    return enc.fail(fmt::format("project_attended: weight '{}' is cut within eight rows",
                                weight.parts[0].tensor.name));
  }
  if (!check_next(enc, "project_attended", next, dim)) return;

  const bool for_nibbles =
      input.format == InputFormat::int8_for_nibbles || input.format == InputFormat::f16_for_nibbles;
  for (const Matrix::Part& part : weight.parts) {
    Cut cut = cut_in_few(enc, input, part);
    cut.constants.push_back(next_format(next));
    cut.constants.push_back({"adds", adds ? 1.0 : 0.0});
    cut.constants.push_back({"for_nibbles", static_cast<double>(for_nibbles)});
    cut.constants.push_back({"n_heads", static_cast<double>(heads.n_heads)});
    cut.constants.push_back({"head_dim8", static_cast<double>(heads.head_dim / kBlock)});
    cut.constants.push_back({"input_blocks", static_cast<double>(in_dim / kBlock)});
    enc.dispatch({
        .kernel =
            kernels::project_attended(act_variant(input.format), weight_variant(part.tensor.dtype),
                                      reduce_variant(input.form)),
        .bindings = {attended.positions, attended.spans, part.tensor, adds ? gamma : attended.spans,
                     x, next.words},
        .params = with_planes(kernels::ProjectAttendedParams{.out_dim = part.n_rows(),
                                                             .in_dim4 = in_dim / 4,
                                                             .first_output = part.first_row,
                                                             .window = attended.scores.window,
                                                             .next_dim = dim},
                              part),
        .constants = cut.constants,
        .workgroups = {ceil_div(part.n_rows(), cut.n_outputs), 1, 1},
        .bytes = spans_bytes(heads, attended.scores, attended.n_keys) + part.tensor.bytes() +
                 uint64_t{16} * part.n_rows(),
    });
  }
  if (adds) next.n_sums = dim / kBlock;
}

}  // namespace handloom::ops
