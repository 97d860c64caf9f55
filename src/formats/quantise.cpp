#include "formats/quantise.h"

#include "base/half.h"
#include "formats/checkpoint.h"
#include "formats/quantise_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace handloom::formats {
namespace {

using Byte = uint8_t;

/// The largest magnitude that each type is certain to hold: of its scale in f16, the largest code.
float limit(DType dtype) {
  constexpr float kF16 = 65504;
  switch (dtype) {
    case DType::f16: return kF16 + 15.99f;  // the last that rounds to it
    case DType::q8_0: return kF16 * 127;
    case DType::q4_0:
    case DType::mlc_q4: return kF16 * 7;
    case DType::q4_1: return kF16;
    case DType::mlc_q3: return kF16 * 3;
    // Their scales reach farther, but the search sums products of squares in f32.
    case DType::q4_k:
    case DType::q6_k: return 65504;
    default: return INFINITY;
  }
}

Result<void> check_values(DType dtype, std::span<const float> values, uint32_t in_dim) {
  const float most = limit(dtype);
  bool good = true;
  for (const float x : values) good &= std::fabs(x) <= most && std::fabs(x) < INFINITY;
  if (good) return {};
  const auto bad = std::ranges::find_if(
      values, [&](float x) { return !std::isfinite(x) || std::fabs(x) > most; });
  const auto at = static_cast<size_t>(bad - values.begin());
  if (!std::isfinite(*bad)) {
    return fail(ErrorCode::invalid_argument, "to {}: value {} of row {} is {}, expected a number",
                to_string(dtype), at % in_dim, at / in_dim, *bad);
  }
  return fail(ErrorCode::invalid_argument, "to {}: value {} of row {} is {}, {} reaches {}",
              to_string(dtype), at % in_dim, at / in_dim, *bad, to_string(dtype), most);
}

Result<void> check_bytes(DType dtype, std::string_view what, size_t got, size_t expected) {
  if (got == expected) return {};
  return fail(ErrorCode::invalid_argument, "to {}: room for {} bytes of {}, expected {}",
              to_string(dtype), got, what, expected);
}

Result<void> check_rows(DType dtype, size_t n_values, uint32_t in_dim, uint32_t multiple) {
  if (in_dim > 0 && n_values % in_dim == 0 && in_dim % multiple == 0) return {};
  return fail(ErrorCode::invalid_argument,
              "to {}: {} values in rows of {}, expected whole rows of a multiple of {}",
              to_string(dtype), n_values, in_dim, multiple);
}

void put_f16(std::span<const float> values, Byte* out) {
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t half = f32_to_f16(values[i]);
    std::memcpy(out + 2 * i, &half, sizeof half);
  }
}

using QuantiseBlock = void (*)(const float*, uint8_t*);

QuantiseBlock block_function(DType dtype) {
  switch (dtype) {
    case DType::q8_0: return quantise_q8_0;
    case DType::q4_0: return quantise_q4_0;
    case DType::q4_1: return quantise_q4_1;
    case DType::q4_k: return quantise_q4_k;
    case DType::q6_k: return quantise_q6_k;
    default: return nullptr;
  }
}

// ---- Scales apart
// --------------------------------------------------------------------------------

/// How a type writes a group: codes from -most to most.
struct GroupForm {
  float most = 0;
  uint32_t bits = 0;  // of a code in a word; int8_block: 8 in a byte
  bool f32_scales = false;
  uint32_t only_group = 0;  // 0: 32, 64 or 128
};

GroupForm group_form(DType dtype) {
  switch (dtype) {
    case DType::mlc_q4: return {7, 4, false, 32};
    case DType::mlc_q4f32: return {7, 4, true, 32};
    case DType::mlc_q3: return {3, 3, false, 40};
    case DType::int8_block: return {127, 8, true, 0};
    default: return {};
  }
}

float put_scale(std::span<const float> x, const GroupForm& form, Byte* to) {
  float most = 0;
  for (const float value : x) most = std::max(most, std::fabs(value));
  if (form.f32_scales) {
    const float scale = most / form.most;
    std::memcpy(to, &scale, sizeof scale);
    return scale;
  }
  const uint16_t scale = f16_step(most, form.most);
  std::memcpy(to, &scale, sizeof scale);
  return f16_to_f32(scale);
}

/// Codes of one group; `to` has been cleared.
void put_codes(std::span<const float> x, const GroupForm& form, float scale, Byte* to) {
  const uint32_t per_word = 32 / form.bits;
  for (uint32_t i = 0; i < x.size(); ++i) {
    // Divided, not multiplied: the inverse of the least f32 scales is infinite.
    const int q = scale == 0 ? 0 : nearest_code(x[i] / scale, -form.most, form.most);
    if (form.bits == 8) {
      to[i] = static_cast<Byte>(q);
      continue;
    }
    uint32_t word;
    std::memcpy(&word, to + i / per_word * 4, sizeof word);
    word |= static_cast<uint32_t>(q + static_cast<int>(form.most)) << (form.bits * (i % per_word));
    std::memcpy(to + i / per_word * 4, &word, sizeof word);
  }
}

bool is_group(const GroupForm& form, uint32_t group) {
  if (form.only_group != 0) return group == form.only_group;
  return group == 32 || group == 64 || group == 128;
}

}  // namespace

Result<void> quantise_rows(DType dtype, std::span<const float> values, uint32_t in_dim,
                           std::span<std::byte> out) {
  const QuantiseBlock block = block_function(dtype);
  if (block == nullptr && dtype != DType::f16) {
    return fail(ErrorCode::invalid_argument,
                "to {}: cannot be written, expected f16, q8_0, q4_0, q4_1, q4_k or q6_k",
                to_string(dtype));
  }
  const auto [block_values, block_bytes] = block_size(dtype);
  CHECK_OK(check_rows(dtype, values.size(), in_dim, block_values));
  CHECK_OK(check_bytes(dtype, "blocks", out.size(), values.size() / block_values * block_bytes));
  CHECK_OK(check_values(dtype, values, in_dim));
  auto* to = reinterpret_cast<Byte*>(out.data());
  if (dtype == DType::f16) return put_f16(values, to), Result<void>();
  for (size_t b = 0; b < values.size() / block_values; ++b) {
    block(values.data() + b * block_values, to + b * block_bytes);
  }
  return {};
}

Result<void> quantise_groups(DType dtype, std::span<const float> values, uint32_t in_dim,
                             uint32_t group, std::span<std::byte> codes,
                             std::span<std::byte> scales) {
  const GroupForm form = group_form(dtype);
  if (form.bits == 0 || !is_group(form, group)) {
    return fail(ErrorCode::invalid_argument,
                "to {}: cannot be written in groups of {}, expected mlc_q4 or mlc_q4f32 with 32, "
                "mlc_q3 with 40, or int8_block with 32, 64 or 128",
                to_string(dtype), group);
  }
  CHECK_OK(check_rows(dtype, values.size(), in_dim, 1));
  const size_t n_rows = values.size() / in_dim;
  const size_t n_groups = (in_dim + size_t{group} - 1) / group;
  const size_t group_bytes = form.bits == 8 ? group : group / (32 / form.bits) * 4;
  const size_t row_bytes = form.bits == 8 ? in_dim : n_groups * group_bytes;
  const size_t scale_bytes = form.f32_scales ? 4 : 2;
  CHECK_OK(check_bytes(dtype, "codes", codes.size(), n_rows * row_bytes));
  CHECK_OK(check_bytes(dtype, "scales", scales.size(), n_rows * n_groups * scale_bytes));
  CHECK_OK(check_values(dtype, values, in_dim));

  std::ranges::fill(codes, std::byte{0});
  auto* code = reinterpret_cast<Byte*>(codes.data());
  auto* scale = reinterpret_cast<Byte*>(scales.data());
  for (size_t r = 0; r < n_rows; ++r) {
    for (size_t g = 0; g < n_groups; ++g) {
      const size_t first = g * group, n = std::min<size_t>(group, in_dim - first);
      const std::span<const float> x = values.subspan(r * in_dim + first, n);
      const float step = put_scale(x, form, scale + (r * n_groups + g) * scale_bytes);
      put_codes(x, form, step, code + r * row_bytes + g * group_bytes);
    }
  }
  return {};
}

}  // namespace handloom::formats
