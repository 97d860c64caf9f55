#pragma once

#include "reference/host.h"

namespace handloom::reference {

/// y = x * transpose(w): y[r,n] = sum over k of x[r,k] * w[n,k]
///
///   x        [rows, K]
///   w        [N, K]
///   returns  [rows, N]
///
/// Summed in double, rounded once at the end, so that the result does not depend on the order.
Host matmul(const Host& x, const Host& w);

}  // namespace handloom::reference
