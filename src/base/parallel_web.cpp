#include "base/parallel.h"

namespace handloom {

void parallel_for(size_t n, const std::function<void(size_t)>& work) {
  for (size_t i = 0; i < n; ++i) work(i);
}

}  // namespace handloom
