// Positions, a page table and pages for the ops that read or write the KV cache.
#pragma once

#include "ops/heads.h"
#include "reference/kv_append.h"
#include "tests/support/host_data.h"

#include <vector>

namespace handloom::test {

inline constexpr uint32_t kLongest = 130;  // tokens: 9 pages of 16, 3 chunks of 64
inline constexpr uint32_t kPages = 11;     // more than a sequence of kLongest needs

/// The page of each 16 positions, in no order; pages 2 and 6 belong to nobody.
inline const std::vector<uint32_t> kPageTable = {7, 0, 10, 3, 9, 1, 8, 4, 5};

/// Contexts of 1 to 130 tokens around the borders of pages and chunks, in no order.
inline const std::vector<uint32_t> kPositions = {64, 0, 129, 14, 63, 16, 15, 62};

/// q, k and v heads in a row.
inline constexpr ops::Heads kHeadCounts[] = {
    {.n_heads = 1, .n_kv_heads = 1},
    {.n_heads = 4, .n_kv_heads = 1},
    {.n_heads = 4, .n_kv_heads = 2},
    {.n_heads = 4, .n_kv_heads = 4},
};
inline constexpr uint32_t kHeadDims[] = {4, 32, 64, 80, 96, 128, 256};

inline std::string describe(const ops::Heads& heads) {
  return fmt::format("heads {}/{} head_dim {}", heads.n_heads, heads.n_kv_heads, heads.head_dim);
}

/// Runs `check` for every head count and head_dim.
template <class Check>
void for_each_heads(Check check) {
  for (ops::Heads heads : kHeadCounts) {
    for (const uint32_t head_dim : kHeadDims) {
      heads.head_dim = head_dim;
      check(heads);
    }
  }
}

}  // namespace handloom::test
