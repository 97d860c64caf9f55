// Inputs by formula, as the kernel checks have them, too.
#pragma once

#include "checks/host_data.h"

namespace handloom::test {
using namespace checks;
}
