// The product after attention that puts attention together itself: saves a dispatch while there are
// few spans.
#pragma once

#include "ops/attention_split.h"
#include "ops/matrix.h"

namespace handloom::ops {

/// What attention_split left of one row.
struct Attended {
  const gpu::Tensor& positions;  // u32 [1]
  const gpu::Tensor& spans;      // f32 [n_spans, n_heads, span_dim]
  Heads heads;
  Scores scores;
  uint32_t n_keys = 0;  // that the row sees when recorded, for the count of bytes alone
};

/// x += attended . weight; next = x * gamma with sums of squares.   Kernel:
/// kernels/project_attended.wgsl
///
///   input   says in what format and form attended values are multiplied; its words are not used
///   weight  [dim, n_heads * head_dim], gamma, x, next: as of project_residual; or gamma is none, a
///           tensor without a buffer: then x = attended . weight, and next is left as it is
void project_attended(gpu::Encoder& enc, const Attended& attended, const Input& input,
                      const Matrix& weight, const gpu::Tensor& gamma, const gpu::Tensor& x,
                      Input& next);
/// Whether it can, and is worth it for a row before position `end`: every workgroup reads all
/// spans.
bool can_project_attended(const gpu::Encoder& enc, const Input& input, const Matrix& weight,
                          const Scores& scores, uint32_t end);

}  // namespace handloom::ops
