// Positions, a page table and pages for the ops that read or write the KV cache.
#pragma once

#include "ops/heads.h"
#include "ops/slab_range.h"
#include "reference/kv_append.h"
#include "reference/round.h"
#include "checks/host_data.h"

#include <vector>

namespace handloom::checks {

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

/// The shape of the GPU's pages for a reference cache.
inline Shape pages_shape(const Host& kv, DType type) {
  return {kv.dim(0), kv.dim(1), kv.dim(2), ops::kv_row_dim(type, kv.dim(3))};
}

/// Where a row of int8 pages lies, in words: its codes, and the word with its scale, in the low
/// half for a key and in the high half for a value.
struct Int8Row {
  size_t codes, scale;
  bool is_value;

  Int8Row(const Host& kv, size_t row) {
    const size_t n_kv_heads = kv.dim(1) / 2, words = kv.dim(3) / 4, page_rows = kv.dim(1) * 16;
    const size_t page = row / page_rows, in_page = row % page_rows;
    const size_t page_at = page * n_kv_heads * 16 * (2 * words + 1);
    is_value = in_page >= n_kv_heads * 16;
    codes = page_at + in_page * words;
    scale = page_at + page_rows * words + in_page % (n_kv_heads * 16);
  }
};

/// A reference cache as int8 pages. A row with a NaN gets a NaN for a scale.
inline std::vector<uint32_t> int8_pages(const Host& kv) {
  const Shape shape = pages_shape(kv, DType::i8);
  std::vector<uint32_t> words(shape.count() / 4);
  for (size_t r = 0; r < kv.n_rows(); ++r) {
    const std::span<const float> row = kv.row(r);
    const Int8Row at(kv, r);
    const bool is_nan = std::isnan(row[0]);
    const float scale = is_nan ? 1.0f : reference::int8_scale(row);
    const uint32_t half = is_nan ? 0x7e00 : f32_to_f16(scale);
    words[at.scale] |= half << (at.is_value ? 16 : 0);
    for (size_t i = 0; i < row.size(); ++i) {
      const int code = is_nan ? 1 : reference::int8_code(row[i], scale);
      words[at.codes + i / 4] |= (static_cast<uint32_t>(code) & 0xff) << (i % 4 * 8);
    }
  }
  return words;
}

/// A reference cache as the words of GPU pages.
inline std::vector<uint32_t> page_words(const Host& kv, DType type) {
  return type == DType::i8 ? int8_pages(kv) : to_words(kv.values, type);
}

}  // namespace handloom::checks
