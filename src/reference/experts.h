#pragma once

#include "reference/host.h"

#include <cstdint>
#include <vector>

namespace handloom::reference {

/// Which experts each row uses, and with what share.
struct Routes {
  std::vector<uint32_t> expert_ids;  // [rows * n_used], largest logit first, lowest id on a tie
  Host shares;                       // [rows, n_used]
};

/// Softmax over the router's logits, the n_used largest kept; with `normalise` their shares add up
/// to 1 (Shazeer et al., 2017, as transformers' Qwen3MoeSparseMoeBlock has it).
///
///   router_logits  [rows, n_experts]
///
/// Computed in double, rounded once at the end.
Routes route_experts(const Host& router_logits, uint32_t n_used, bool normalise);

/// y[s,n] = sum over k of x[.,k] * w[expert_ids[s] * out_dim + n, k]
///
///   x        [rows or slots, in_dim]: with as many rows as slots, one a slot, else one a row of
///   slots w        [n_experts * out_dim, in_dim] returns  [slots, out_dim]
Host matmul_experts(const Host& x, const std::vector<uint32_t>& expert_ids, const Host& w,
                    uint32_t out_dim);

/// y[r,:] = sum over the slots of row r of shares[r,u] * x[r * n_used + u,:]
///
///   x        [rows * n_used, dim]
///   shares   [rows, n_used]
///   returns  [rows, dim]
Host combine_experts(const Host& x, const Host& shares);

}  // namespace handloom::reference
