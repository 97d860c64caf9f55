#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace handloom {

void parallel_for(size_t n, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next = 0;
  const auto run = [&] {
    for (size_t i = next++; i < n; i = next++) work(i);
  };
  const size_t n_threads = std::min<size_t>(n, std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::jthread> others;
  for (size_t t = 1; t < n_threads; ++t) others.emplace_back(run);
  run();
}

}  // namespace handloom
