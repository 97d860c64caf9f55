// Inputs of the fused plan's kernels: what a matrix reads, made by the reference, and what a kernel
// left for the next matrix, read by the reference.
#pragma once

#include "ops/input.h"
#include "reference/input.h"
#include "reference/matmul.h"
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"
#include "tests/support/quantised_data.h"

#include <optional>

namespace handloom::test {

inline constexpr ops::InputFormat kInputFormats[] = {
    ops::InputFormat::f32, ops::InputFormat::int8_for_nibbles, ops::InputFormat::int8_for_bytes,
    ops::InputFormat::f16_for_nibbles, ops::InputFormat::f16_in_order};

inline reference::InputFormat in_reference(ops::InputFormat format) {
  return static_cast<reference::InputFormat>(format);
}

inline std::string_view to_string(ops::InputFormat format) {
  constexpr std::string_view kNames[] = {"f32", "int8_for_nibbles", "int8_for_bytes",
                                         "f16_for_nibbles", "f16_in_order"};
  return kNames[static_cast<size_t>(format)];
}

/// All that a weight of the type reads, where the device has f16.
inline std::vector<ops::InputFormat> formats_for(const QuantisedType& type) {
  gpu::Tensor tensor;
  tensor.dtype = gpu_dtype(type.file);
  std::vector<ops::InputFormat> formats;
  for (const ops::Act act : ops::kActs) {
    if (act == ops::Act::f16 && !device().adapter().features.f16) continue;
    if (ops::takes(tensor.dtype, act)) formats.push_back(ops::format_for(tensor, act));
  }
  return formats;
}

/// The form by rule but for its activations, which are what the input's format says.
inline ops::ProjectForm by_rule(const gpu::Encoder& enc) {
  return ops::form_by_rule(device().adapter(), enc.features(), DType::f32);
}

/// All forms that the device may take for a type of weight, each with two subgroups an output, too.
inline std::vector<ops::ProjectForm> all_forms(DType weight) {
  const AdapterInfo& adapter = device().adapter();
  std::vector<ops::ProjectForm> forms = ops::candidate_forms(adapter, adapter.features, weight);
  for (size_t i = 0, n = forms.size(); i < n; ++i) {
    if (!forms[i].subgroups) continue;
    forms.push_back(forms[i]);
    forms.back().wide_below = UINT32_MAX;
  }
  return forms;
}

/// What a matrix makes of an input, and what bounds its error.
struct Product {
  Host want, magnitude;
  double roundings = 0;
};

/// An input by formula, with sums of squares that make a norm's factor of about a half. Words
/// behind it are NaN.
class GivenInput {
 public:
  static constexpr float kEps = 0.25f;

  GivenInput(uint32_t dim, ops::InputFormat format, uint32_t n_sums, uint32_t salt = 1)
      : dim_(dim), format_(format), n_sums_(n_sums) {
    words_ = reference::store_input(ramp({1, dim}, salt).values, in_reference(format));
    read_ = reference::read_input(words_, dim, in_reference(format));
    std::vector<float> sums = ramp({n_sums}, salt + 1).values;
    for (float& sum : sums) sum = (4 + sum) * static_cast<float>(dim) / static_cast<float>(n_sums);
    const double scale = reference::input_scale(sums, dim, kEps);
    for (float& value : read_.values) value = static_cast<float>(value * scale);
    for (const float sum : sums) words_.push_back(std::bit_cast<uint32_t>(sum));
    words_.resize(ops::input_words(dim), std::bit_cast<uint32_t>(kNan));
  }

  /// For a product in the form, or in that by rule.
  ops::Input on_gpu(GpuRun& run, std::optional<ops::ProjectForm> form = {}) const {
    return {.words = run.in("input", words_),
            .dim = dim_,
            .format = format_,
            .form = form.value_or(by_rule(run.encoder())),
            .n_sums = n_sums_};
  }

  /// Times a weight [out_dim, dim]. Each product passes through at most `dim` roundings: in 8 bits,
  /// where eight of them are summed as whole numbers, dim / 32 + 8, which leaves room for what
  /// q6_k, q4_k and mlc_q4 take off apart. To that come the norm's factor and its product, two
  /// roundings of what is read, and the reference.
  Product times(const Host& weight) const {
    const double factor = n_sums_ / 2.0 + kDivision / 2 + 0.5 + kInverseSqrt + 1;
    // In 16 bits eight products are three or four roundings of f16, 2^13 times those of f32, and
    // codes of four bits are exact there.
    const double halves = ops::act_of(format_) == ops::Act::f16 ? 5 * 0x1p13 : 0;
    return {.want = reference::matmul(read_, weight),
            .magnitude = reference::matmul(magnitudes(read_), magnitudes(weight)),
            .roundings = dim_ + factor + 2 + 1 + halves};
  }

 private:
  uint32_t dim_;
  ops::InputFormat format_;
  uint32_t n_sums_;
  std::vector<uint32_t> words_;
  Host read_;
};

/// The word that stands where a kernel has written nothing.
inline constexpr uint32_t kUnwritten = 0x7fc0dead;

/// Room for an input of `dim` values that a kernel is to write.
inline ops::Input next_input(GpuRun& run, uint32_t dim, ops::InputFormat format) {
  return {.words = run.inout("next", std::vector<uint32_t>(ops::input_words(dim), kUnwritten)),
          .dim = dim,
          .format = format};
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
