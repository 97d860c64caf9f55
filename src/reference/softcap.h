#pragma once

#include "reference/host.h"

namespace handloom::reference {

/// cap * tanh(value / cap): nearly the value itself where that is small, never beyond the cap
/// (Bello et al., "Neural Combinatorial Optimization with Reinforcement Learning", 2016).
double soft_capped(double value, double cap);

/// y = soft_capped(y, cap), element by element, in place. Computed in double, rounded once.
void softcap(Host& y, float cap);

}  // namespace handloom::reference
