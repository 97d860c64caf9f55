#include "reference/add.h"

namespace handloom::reference {

void add(Host& x, const Host& y) {
  assert(x.shape == y.shape);
  for (size_t i = 0; i < x.values.size(); ++i) x.values[i] += y.values[i];
}

}  // namespace handloom::reference
