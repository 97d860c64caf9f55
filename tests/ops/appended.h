// What a kernel that computes keys and values by itself left of them in the pages.
#pragma once

#include "checks/kv_pages.h"
#include "tests/support/close.h"

namespace handloom::test {

/// A row's keys and values on their way to the pages.
struct Appended {
  const Host& kv;  // the pages' shape, and what was in them
  std::span<const uint32_t> page_table;
  uint32_t position = 0;
  const Host& row;             // [1, row_dim]
  const Tolerance& tolerance;  // of the row, before it was rounded to the pages' type
};

/// The word of a page's value, and the value. Index `i` counts from the first of row `row` of kv.
struct PageValue {
  size_t word;
  double value, step;  // what rounding may have taken from it

  PageValue(const Host& kv, std::span<const uint32_t> words, DType type, size_t row, uint32_t i,
            double want) {
    const size_t at = row * kv.dim(3) + i;
    if (type == DType::i8) {
      const Int8Row int8(kv, row);
      const double scale =
          f16_to_f32(static_cast<uint16_t>(words[int8.scale] >> (int8.is_value ? 16 : 0)));
      word = int8.codes + i / 4;
      value = scale * static_cast<int8_t>(words[word] >> (i % 4 * 8));
      step = scale * 0.5 * (1 + 256 * 5 * kU);  // x / scale is off by 5 roundings
    } else if (type == DType::f16) {
      word = at / 2;
      value = f16_to_f32(static_cast<uint16_t>(words[word] >> (at % 2 * 16)));
      step = std::max(std::abs(want) * 0x1p-11, 0x1p-25) * (1 + 0x1p-10);
    } else {
      word = at;
      value = std::bit_cast<float>(words[at]);
      step = 0;
    }
  }
};

/// That `got` holds the row, and otherwise what it held before.
inline testing::AssertionResult holds_row(const Case& where, std::span<const uint32_t> got,
                                          DType type, const Appended& appended) {
  const Host& kv = appended.kv;
  const uint32_t head_dim = kv.dim(3), n_kv_rows = kv.dim(1);
  std::vector<uint32_t> untouched = page_words(kv, type);
  for (uint32_t h = 0; h < n_kv_rows; ++h) {
    const size_t row = reference::kv_row(kv, appended.page_table, h, appended.position);
    float largest = 0;
    double largest_error = 0;
    for (uint32_t i = 0; i < head_dim; ++i) {
      const size_t at = appended.row.values.size() - size_t{n_kv_rows - h} * head_dim + i;
      const float want = appended.row.values[at];
      const double error = appended.tolerance.at(at, want);
      largest = std::max(largest, std::abs(want));
      largest_error = std::max(largest_error, error);
      const PageValue found(kv, got, type, row, i, want);
      if (!(std::abs(found.value - want) <= found.step + error)) {
        return testing::AssertionFailure() << fmt::format(
                   "{} {} {}: head {} of the pages, value {}: got {:.9g}, want {:.9g}, tolerance "
                   "{:.3g}",
                   where.op, where.shape, where.variant, h, i, found.value, want,
                   found.step + error);
      }
      untouched[found.word] = got[found.word];
    }
    if (type != DType::i8) continue;
    const Int8Row int8(kv, row);
    const uint32_t shift = int8.is_value ? 16 : 0, half = 0xffffu << shift;
    const double scale = f16_to_f32(static_cast<uint16_t>(got[int8.scale] >> shift));
    const double exact = std::max(largest / 127.0, 0x1p-24);
    if (!(std::abs(scale - exact) <= largest_error / 127 + exact * 0x1p-10 + 0x1p-25)) {
      return testing::AssertionFailure()
             << fmt::format("{} {} {}: head {} of the pages: got scale {:.9g}, want {:.9g}",
                            where.op, where.shape, where.variant, h, scale, exact);
    }
    untouched[int8.scale] = (untouched[int8.scale] & ~half) | (got[int8.scale] & half);
  }
  if (std::ranges::equal(got, untouched)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << fmt::format("{} {} {}: changed other rows of the pages",
                                                    where.op, where.shape, where.variant);
}

}  // namespace handloom::test
