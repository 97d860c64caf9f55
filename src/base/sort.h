// Stable sorting with one routine for all types. std::sort is written out for each type and order
// anew, which made thirty kilobytes of what a page fetches.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace handloom {

/// Whether the item at place `a` stands before the one at `b`.
using ComesBefore = bool (*)(const void* items, uint32_t a, uint32_t b);

/// The places 0 .. n - 1 in their order; equals keep theirs. n < 2^32.
std::vector<uint32_t> sorted_places(size_t n, const void* items, ComesBefore comes_before);

/// Sorts by `key` of each item, a member or a function, the smallest first; equals stay in order.
template <class T, class Key = std::identity>
void sort_by(std::vector<T>& items, Key key = {}) {
  struct Context {
    const std::vector<T>& items;
    const Key& key;
  } const context{items, key};
  const auto places =
      sorted_places(items.size(), &context, [](const void* given, uint32_t a, uint32_t b) {
        const auto& [all, key_of] = *static_cast<const Context*>(given);
        return std::invoke(key_of, all[a]) < std::invoke(key_of, all[b]);
      });
  std::vector<T> sorted;
  sorted.reserve(items.size());
  for (const uint32_t place : places) sorted.push_back(std::move(items[place]));
  items = std::move(sorted);
}

}  // namespace handloom
