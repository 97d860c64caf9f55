// What a kernel of the fused plan left for the next matrix, read by the reference.
#pragma once

#include "checks/input_data.h"
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"

namespace handloom::test {

/// All forms that the device may take for a type of weight, each with two subgroups an output, too;
/// of the latter every second knows the shape.
inline std::vector<ops::ProjectForm> all_forms(DType weight) {
  const AdapterInfo& adapter = device().adapter();
  std::vector<ops::ProjectForm> forms = ops::candidate_forms(adapter, adapter.features, weight);
  for (size_t i = 0, n = forms.size(); i < n; ++i) {
    if (!forms[i].subgroups) continue;
    forms.push_back(forms[i]);
    forms.back().wide_below = UINT32_MAX;
    forms.back().knows_shape = i % 2 == 1;
  }
  return forms;
}

/// That block number `b` holds what is within `error` of `want`, rounded to 8 bits: the scale that
/// the largest asks for, codes to the nearest, their sum.
inline std::string wrong_block(const reference::InputBlock& got, std::span<const float> want,
                               std::span<const double> error) {
  double largest = 0, largest_error = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    largest = std::max(largest, std::abs(double{want[i]}));
    largest_error = std::max(largest_error, error[i]);
  }
  if (!(std::abs(127.0 * got.scale - largest) <= largest_error + 3 * kU * largest)) {
    return fmt::format("scale {:.9g}, want {:.9g}", got.scale, largest / 127);
  }
  int total = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    // 127 / largest is off by 5 roundings, its product with a value by 6: of up to 127.
    const double step = got.scale * (0.5 + 127 * 8 * kU);
    const double value = double{got.scale} * got.codes[i];
    if (!(std::abs(value - want[i]) <= step + error[i])) {
      return fmt::format("value {}: {:.9g}, want {:.9g} within {:.3g}", i, value, want[i],
                         step + error[i]);
    }
    total += got.codes[i];
  }
  if (got.sum == got.scale * static_cast<float>(total)) return "";
  return fmt::format("sum {:.9g}, want {:.9g}", got.sum, got.scale * static_cast<float>(total));
}

/// That a kernel left `want` in `next`, and nothing behind its sums of squares.
inline testing::AssertionResult holds_input(const Case& where, const GpuRun& run,
                                            const ops::Input& next, const Host& want,
                                            const Tolerance& tolerance) {
  const std::span<const uint32_t> words = run.words(next.words);
  const reference::InputFormat format = in_reference(next.format);
  const size_t n_written = reference::input_words(next.dim, format) + next.n_sums;
  for (size_t i = n_written; i < words.size(); ++i) {
    if (words[i] == kUnwritten) continue;
    return testing::AssertionFailure() << fmt::format("{} {} {}: wrote word {} of {}", where.op,
                                                      where.shape, where.variant, i, n_written);
  }
  if (next.format == ops::InputFormat::f32) {
    return is_close(where, reference::read_input(words, next.dim, format), want, tolerance);
  }
  if (ops::act_of(next.format) == ops::Act::f16) {
    // A scaled half is off by the rounding to f16 of what is at most the largest of its eight.
    const Host got = reference::read_input(words, next.dim, format);
    Tolerance rounded = tolerance;
    rounded.roundings += 0x1p13 + 4;
    if (rounded.magnitude.values.empty()) rounded.magnitude = magnitudes(want);
    for (size_t i = 0; i < want.values.size(); ++i) {
      float largest = 0;
      for (size_t j = i / 8 * 8; j < i / 8 * 8 + 8; ++j) {
        largest = std::max(largest, std::abs(want.values[j]));
      }
      rounded.magnitude.values[i] = std::max(rounded.magnitude.values[i], largest * 0x1p-12f);
    }
    return is_close(where, got, want, rounded);
  }
  std::vector<double> error(want.values.size());
  for (size_t i = 0; i < error.size(); ++i) error[i] = tolerance.at(i, want.values[i]);
  for (uint32_t b = 0; b < next.dim / 8; ++b) {
    const std::string wrong =
        wrong_block(reference::stored_block(words, next.dim, format, b),
                    std::span(want.values).subspan(8 * b, 8), std::span(error).subspan(8 * b, 8));
    if (!wrong.empty()) {
      return testing::AssertionFailure() << fmt::format("{} {} {}: block {}: {}", where.op,
                                                        where.shape, where.variant, b, wrong);
    }
  }
  return testing::AssertionSuccess();
}

/// That the sums of squares behind `next` are those of x, each of as many values as the others.
inline testing::AssertionResult holds_squares(const Case& where, const GpuRun& run,
                                              const ops::Input& next, const Host& x) {
  const std::span<const uint32_t> words = run.words(next.words);
  const size_t first = reference::input_words(next.dim, in_reference(next.format));
  const uint32_t n_values = next.dim / next.n_sums;
  Host want({next.n_sums}), got({next.n_sums});
  for (uint32_t i = 0; i < next.n_sums; ++i) {
    double sum = 0;
    for (uint32_t k = 0; k < n_values; ++k) {
      sum += double{x.values[i * n_values + k]} * x.values[i * n_values + k];
    }
    want.values[i] = static_cast<float>(sum);
    got.values[i] = std::bit_cast<float>(words[first + i]);
  }
  return is_close({where.op, where.shape + " squares", where.variant}, got, want,
                  {.roundings = n_values + 1.0});
}

}  // namespace handloom::test
