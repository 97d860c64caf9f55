// Independent pieces of host work, spread over the machine's cores.
#pragma once

#include <cstddef>
#include <functional>

namespace handloom {

/// Calls work(0) .. work(n - 1), each once, on as many threads as the machine has, and returns when
/// all have. Calls must not depend on one another. Where threads are not to be had, in order.
void parallel_for(size_t n, const std::function<void(size_t)>& work);

}  // namespace handloom
