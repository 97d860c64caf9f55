#pragma once

#include "reference/host.h"

namespace handloom::reference {

/// y[r,:] = x[r,:] / sqrt(mean(x[r,:]^2) + eps) * weight
///
///   x        [rows, dim]
///   weight   [dim]
///   returns  [rows, dim]
///
/// Computed in double, rounded once at the end.
Host rms_norm(const Host& x, const Host& weight, float eps);

}  // namespace handloom::reference
