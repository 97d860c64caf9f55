#include "base/sort.h"

#include <algorithm>
#include <numeric>

namespace handloom {

std::vector<uint32_t> sorted_places(size_t n, const void* items, ComesBefore comes_before) {
  std::vector<uint32_t> places(n), merged(n);
  std::iota(places.begin(), places.end(), 0u);
  const auto before = [=](uint32_t a, uint32_t b) { return comes_before(items, a, b); };
  for (size_t run = 1; run < n; run *= 2) {
    for (size_t begin = 0; begin < n; begin += 2 * run) {
      const auto at = [&](size_t i) { return places.data() + std::min(begin + i, n); };
      std::merge(at(0), at(run), at(run), at(2 * run), merged.data() + begin, before);
    }
    places.swap(merged);
  }
  return places;
}

}  // namespace handloom
