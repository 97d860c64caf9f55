#include "ops/embed.h"

#include "ops/check.h"

namespace handloom::ops {

void embed(gpu::Encoder& enc, const gpu::Tensor& token_ids, const gpu::Tensor& token_embd,
           const gpu::Tensor& x, float scale) {
  const uint32_t rows = token_ids.dim(0), dim = token_embd.dim(1);

  if (!check_shape(enc, "embed", "x", x, {rows, dim})) return;
  if (!check_multiple(enc, "embed", "dim", dim, 4)) return;

  enc.dispatch({
      .kernel = kernels::embed(weight_variant(token_embd)),
      .bindings = {token_ids, token_embd, x},
      .params = kernels::EmbedParams{.dim4 = dim / 4, .scale = scale},
      .workgroups = {rows, 1, 1},
      .bytes = x.bytes() + uint64_t{rows} * dim * dtype_bytes(token_embd.dtype),
  });
}

}  // namespace handloom::ops
