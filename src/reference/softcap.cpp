#include "reference/softcap.h"

#include <cmath>

namespace handloom::reference {

double soft_capped(double value, double cap) { return cap * std::tanh(value / cap); }

void softcap(Host& y, float cap) {
  assert(cap > 0);
  for (float& value : y.values) value = static_cast<float>(soft_capped(value, cap));
}

}  // namespace handloom::reference
