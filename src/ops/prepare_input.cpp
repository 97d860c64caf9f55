#include "ops/prepare_input.h"

#include "ops/check.h"

namespace handloom::ops {
namespace {

/// `spare` is bound where the kernel will not read: any tensor that is not written.
void dispatch(gpu::Encoder& enc, const gpu::Tensor& spare, const gpu::Tensor& p,
              const gpu::Tensor& post, const gpu::Tensor& gamma, const gpu::Tensor& x, Input& next,
              float eps, std::optional<Sharing> sharing) {
  const uint32_t dim = next.dim;
  if (!check_shape(enc, "prepare_input", "x", x, {1, dim})) return;
  if (!check_next(enc, "prepare_input", next, dim)) return;
  for (const gpu::Tensor* norm : {&post, &gamma}) {
    if (norm->buffer && !check_shape(enc, "prepare_input", "norm", *norm, {dim})) return;
  }
  if (p.buffer && !check_shape(enc, "prepare_input", "p", p, {1, dim})) return;

  std::vector<gpu::Constant> constants = one_vector(enc, sharing);
  constants.push_back(next_format(next));
  enc.dispatch({
      .kernel = kernels::prepare_input(reduce_variant(enc)),
      .bindings = {p.buffer ? p : spare, post.buffer ? post : spare, gamma.buffer ? gamma : spare,
                   x, next.words},
      .params = kernels::PrepareInputParams{.next_dim = dim,
                                            .adds = p.buffer != nullptr,
                                            .norms = post.buffer != nullptr,
                                            .has_gamma = gamma.buffer != nullptr,
                                            .eps = eps},
      .constants = constants,
      .workgroups = {1, 1, 1},
      .bytes = uint64_t{16} * dim,
  });
}

}  // namespace

void prepare_input(gpu::Encoder& enc, const gpu::Tensor& gamma, const gpu::Tensor& x, Input& next,
                   std::optional<Sharing> sharing) {
  dispatch(enc, gamma, {}, {}, gamma, x, next, 0, sharing);
  next.n_sums = 1;
}

void add_and_prepare_input(gpu::Encoder& enc, const gpu::Tensor& p, const gpu::Tensor& post,
                           const gpu::Tensor& gamma, const gpu::Tensor& x, Input& next, float eps,
                           std::optional<Sharing> sharing) {
  dispatch(enc, p, p, post, gamma, x, next, eps, sharing);
  next.n_sums = 1;
}

void store_input(gpu::Encoder& enc, const gpu::Tensor& x, const gpu::Tensor& spare, Input& next,
                 std::optional<Sharing> sharing) {
  dispatch(enc, spare, {}, {}, {}, x, next, 0, sharing);
  next.n_sums = 0;
}

}  // namespace handloom::ops
