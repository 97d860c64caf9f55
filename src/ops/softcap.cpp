#include "ops/softcap.h"

#include "ops/check.h"

#include <algorithm>

namespace handloom::ops {

void softcap(gpu::Encoder& enc, const gpu::Tensor& y, float cap) {
  const auto n = static_cast<uint32_t>(y.count());
  const uint32_t n_workgroups = std::min(ceil_div(n, 64), 1024u);

  enc.dispatch({
      .kernel = kernels::softcap(),
      .bindings = {y},
      .params = kernels::SoftcapParams{.n = n, .stride = 64 * n_workgroups, .cap = cap},
      .workgroups = {n_workgroups, 1, 1},
      .bytes = 2 * y.bytes(),
  });
}

}  // namespace handloom::ops
