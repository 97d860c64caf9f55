// Inputs of the fused plan's kernels: what a matrix reads, made by the reference.
#pragma once

#include "checks/quantised_weight.h"
#include "checks/tolerance.h"
#include "ops/input.h"
#include "reference/input.h"
#include "reference/matmul.h"

#include <bit>
#include <optional>
#include <string_view>

namespace handloom::checks {

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

/// All that a weight of the type reads, on a device with these features.
inline std::vector<ops::InputFormat> formats_for(const QuantisedType& type,
                                                 const Features& features) {
  gpu::Tensor tensor;
  tensor.dtype = gpu_dtype(type.file);
  std::vector<ops::InputFormat> formats;
  for (const ops::Act act : ops::kActs) {
    if (act == ops::Act::f16 && !features.f16) continue;
    if (ops::takes(tensor.dtype, act)) formats.push_back(ops::format_for(tensor, act));
  }
  return formats;
}

/// The form by rule but for its activations, which are what the input's format says.
inline ops::ProjectForm by_rule(const gpu::Encoder& enc) {
  return ops::form_by_rule(enc.device().adapter(), enc.features(), DType::f32);
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
  ops::Input on_gpu(KernelRun& run, std::optional<ops::ProjectForm> form = {}) const {
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
inline ops::Input next_input(KernelRun& run, uint32_t dim, ops::InputFormat format) {
  return {.words = run.inout("next", std::vector<uint32_t>(ops::input_words(dim), kUnwritten)),
          .dim = dim,
          .format = format};
}

}  // namespace handloom::checks
