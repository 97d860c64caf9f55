#pragma once

#include "reference/host.h"

namespace handloom::reference {

/// y[r,:] += bias, in place.
///
///   y     [rows, dim]
///   bias  [dim]
void add_bias(Host& y, const Host& bias);

}  // namespace handloom::reference
