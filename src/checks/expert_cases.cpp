// Cases of the kernels of a mixture of experts.
#include "checks/kernel_cases.h"
#include "ops/experts.h"
#include "reference/experts.h"

#include <fmt/format.h>

namespace handloom::checks {
namespace {

constexpr uint32_t kRows = 5, kExperts = 8, kUsed = 2;

/// KernelRun makes flat tables.
gpu::Tensor with_rows(gpu::Tensor flat) {
  flat.shape = {kRows, kUsed};
  return flat;
}

std::vector<Expectation> route_experts(KernelRun& run) {
  Host logits = ramp({kRows, kExperts}, 1);
  for (float& value : logits.values) value *= 7;
  const gpu::Tensor ids = run.inout("expert_ids", std::vector<uint32_t>(kRows * kUsed, 0xdead));
  const gpu::Tensor shares = run.out("shares", {kRows, kUsed});
  ops::route_experts(run.encoder(), run.in("router_logits", logits), with_rows(ids), shares, true);
  const reference::Routes want = reference::route_experts(logits, kUsed, true);
  // Two exponentials, the sum and the quotient; shares are positive, so nothing cancels.
  return {{.tensor = ids, .want = from_integers(want.expert_ids), .read = from_integers},
          {shares, want.shares, {.roundings = 2 * exp_roundings(20) + kExperts + kDivision}}};
}

std::vector<Expectation> matmul_experts(KernelRun& run, DType type) {
  constexpr uint32_t kOutDim = 17, kInDim = 100;
  const Host x = ramp({kRows, kInDim}, 1);
  const Host weight = ramp_in({kExperts * kOutDim, kInDim}, type, 2);
  const std::vector<uint32_t> ids = {0, 7, 2, 1, 7, 3, 1, 0, 5, 6};
  const gpu::Tensor y = run.out("y", {kRows * kUsed, kOutDim});
  ops::matmul_experts(run.encoder(), run.in("x", x), with_rows(run.in("expert_ids", ids)),
                      run.in("weight", weight, type), y);
  return {
      {y,
       reference::matmul_experts(x, ids, weight, kOutDim),
       {.roundings = kInDim + 1.0,
        .magnitude = reference::matmul_experts(magnitudes(x), ids, magnitudes(weight), kOutDim)}}};
}

std::vector<Expectation> combine_experts(KernelRun& run) {
  const Host x = ramp({kRows * kUsed, 260}, 1), shares = ramp({kRows, kUsed}, 2);
  const gpu::Tensor y = run.out("y", {kRows, 260});
  ops::combine_experts(run.encoder(), run.in("x", x), run.in("shares", shares), y);
  return {{y,
           reference::combine_experts(x, shares),
           {.roundings = kUsed + 1.0,
            .magnitude = reference::combine_experts(magnitudes(x), magnitudes(shares))}}};
}

}  // namespace

void add_expert_cases(KernelCases& cases) {
  const std::string size = fmt::format("{} rows, {} of {} experts", kRows, kUsed, kExperts);
  cases.push_back({"route_experts", size, route_experts});
  for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
    cases.push_back({"matmul_experts", fmt::format("{}, weight {}", size, to_string(type)),
                     [type](KernelRun& run) { return matmul_experts(run, type); }});
  }
  cases.push_back({"combine_experts", size, combine_experts});
}

}  // namespace handloom::checks
