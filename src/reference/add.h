#pragma once

#include "reference/host.h"

namespace handloom::reference {

/// x += y, element by element; both of one shape.
void add(Host& x, const Host& y);

}  // namespace handloom::reference
