#include "formats/quantised.h"

#include "base/half.h"
#include "formats/block_values.h"
#include "formats/names.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <vector>

namespace handloom::formats {
namespace {

using Byte = uint8_t;

bool keeps_scales_apart(DType dtype) { return dtype >= DType::mlc_q4; }
bool is_mlc(DType dtype) { return dtype >= DType::mlc_q4 && dtype <= DType::mlc_q3; }

uint64_t row_length(const TensorInfo& tensor) {
  return tensor.shape.rank() == 0 ? 1 : tensor.shape.dim(tensor.shape.rank() - 1);
}

uint64_t groups_per_row(const TensorInfo& tensor) {
  return (row_length(tensor) + tensor.group - 1) / tensor.group;
}

/// Bytes of `tensor` with rows of `row_values`, in which blocks or words are whole.
std::optional<uint64_t> bytes_of(const TensorInfo& tensor, DType dtype, uint64_t row_values) {
  std::vector<uint64_t> dims(tensor.shape.dims().begin(), tensor.shape.dims().end());
  if (dims.empty()) dims.push_back(1);
  dims.back() = row_values;
  return tensor_bytes(dtype, dims);
}

/// MLC pads rows to whole groups.
std::optional<uint64_t> code_bytes(const TensorInfo& tensor) {
  const uint64_t row = row_length(tensor);
  if (!is_mlc(tensor.dtype)) return bytes_of(tensor, tensor.dtype, row);
  return bytes_of(tensor, tensor.dtype, groups_per_row(tensor) * tensor.group);
}

Result<void> check_group(const TensorInfo& tensor) {
  const bool any = !is_mlc(tensor.dtype);
  const uint32_t mlc_group = tensor.dtype == DType::mlc_q3 ? 40 : 32, group = tensor.group;
  if (any ? group == 32 || group == 64 || group == 128 : group == mlc_group) return {};
  return fail(ErrorCode::invalid_argument,
              "tensor '{}': has groups of {} values, expected {} for {}", printable(tensor.name),
              group, any ? "32, 64 or 128" : fmt::format("{}", mlc_group), to_string(tensor.dtype));
}

Result<void> check_scale_type(const TensorInfo& tensor) {
  constexpr auto f16 = DType::f16, f32 = DType::f32, bf16 = DType::bf16;
  const DType type = tensor.scale_dtype;
  switch (tensor.dtype) {
    case DType::mlc_q4:
    case DType::mlc_q3:
      if (type == f16) return {};
      break;
    case DType::mlc_q4f32:  // bf16: as TVM stores them
      if (type == f32 || type == bf16) return {};
      break;
    case DType::int8_block:
      if (type == f32) return {};
      break;
    default:
      if (type == f16 || type == f32 || type == bf16) return {};
      break;
  }
  return fail(ErrorCode::invalid_argument, "tensor '{}': has scales of type {}, {} has others",
              printable(tensor.name), to_string(type), to_string(tensor.dtype));
}

Result<void> check_bytes(const TensorInfo& tensor, std::string_view what, uint64_t got,
                         std::optional<uint64_t> expected) {
  if (expected == got) return {};
  return fail(ErrorCode::invalid_argument, "tensor '{}': has {} bytes{}, expected {} for {} {}",
              printable(tensor.name), got, what,
              expected ? fmt::format("{}", *expected) : "more than any memory",
              to_string(tensor.dtype), to_string(tensor.shape));
}

/// A row that is no whole number of blocks, or of MLX's groups.
Result<void> check_row(const TensorInfo& tensor) {
  uint64_t multiple = is_mlc(tensor.dtype) ? 1 : block_size(tensor.dtype).values;
  if (tensor.dtype == DType::mlx_q4) multiple = tensor.group;
  if (row_length(tensor) % multiple == 0) return {};
  return fail(ErrorCode::invalid_argument,
              "tensor '{}': has rows of {} values, expected a multiple of {} for {}",
              printable(tensor.name), row_length(tensor), multiple, to_string(tensor.dtype));
}

const Byte* bytes_at(std::span<const std::byte> bytes, uint64_t offset) {
  return reinterpret_cast<const Byte*>(bytes.data()) + offset;
}

uint32_t load(const Byte* from, uint32_t n_bytes) {
  uint32_t value = 0;
  for (uint32_t i = 0; i < n_bytes; ++i) value |= uint32_t{from[i]} << (8 * i);
  return value;
}

/// Element i of a plain type.
float plain_value(DType dtype, std::span<const std::byte> elements, uint64_t i) {
  const uint32_t width = dtype_bytes(dtype);
  const uint32_t bits = load(bytes_at(elements, i * width), width);
  if (dtype == DType::f32) return std::bit_cast<float>(bits);
  const auto half = static_cast<uint16_t>(bits);
  return dtype == DType::f16 ? f16_to_f32(half) : bf16_to_f32(half);
}

/// Code i of a row, where a word holds 32 / bits of them, the first lowest.
uint32_t word_code(const Byte* row, uint32_t bits, uint64_t i) {
  const uint32_t per_word = 32 / bits;
  const uint32_t word = load(row + i / per_word * 4, 4);
  return word >> (bits * (i % per_word)) & ((1u << bits) - 1);
}

/// One row of a type that keeps its scales apart. q times an f16 or bf16 scale is exact; times an
/// f32 one it rounds once, and MLX's with f32 scales once more when the bias is added.
void grouped_row(const TensorInfo& tensor, uint64_t row, std::span<float> out) {
  const uint64_t n_groups = groups_per_row(tensor), padded = n_groups * tensor.group;
  for (uint64_t i = 0; i < out.size(); ++i) {
    const uint64_t group = row * n_groups + i / tensor.group;
    const float scale = plain_value(tensor.scale_dtype, tensor.scales, group);
    switch (tensor.dtype) {
      case DType::mlc_q4:
      case DType::mlc_q4f32: {
        const uint32_t q = word_code(bytes_at(tensor.bytes, row * padded / 2), 4, i);
        out[i] = static_cast<float>(int(q) - 7) * scale;
        break;
      }
      case DType::mlc_q3: {
        const uint32_t q = word_code(bytes_at(tensor.bytes, row * padded / 10 * 4), 3, i);
        out[i] = static_cast<float>(int(q) - 3) * scale;
        break;
      }
      case DType::mlx_q4: {
        const uint32_t q = word_code(bytes_at(tensor.bytes, row * padded / 2), 4, i);
        const float product = scale * static_cast<float>(q);
        out[i] = product + plain_value(tensor.scale_dtype, tensor.biases, group);
        break;
      }
      default: {  // int8_block, whose rows are not padded
        const auto q = static_cast<int8_t>(*bytes_at(tensor.bytes, row * out.size() + i));
        out[i] = static_cast<float>(q) * scale;
        break;
      }
    }
  }
}

void one_row(const TensorInfo& tensor, uint64_t row, std::span<float> out) {
  if (!is_quantised(tensor.dtype)) {
    for (uint64_t i = 0; i < out.size(); ++i) {
      out[i] = plain_value(tensor.dtype, tensor.bytes, row * out.size() + i);
    }
    return;
  }
  if (keeps_scales_apart(tensor.dtype)) return grouped_row(tensor, row, out);
  const auto [values, bytes] = block_size(tensor.dtype);
  const uint64_t n_blocks = out.size() / values;
  for (uint64_t b = 0; b < n_blocks; ++b) {
    const Byte* block = bytes_at(tensor.bytes, (row * n_blocks + b) * bytes);
    block_values(tensor.dtype, block, out.data() + b * values);
  }
}

}  // namespace

Result<void> check_size(const TensorInfo& tensor) {
  const bool apart = keeps_scales_apart(tensor.dtype);
  if (apart) {
    CHECK_OK(check_group(tensor));
    CHECK_OK(check_scale_type(tensor));
  }
  CHECK_OK(check_row(tensor));
  CHECK_OK(check_bytes(tensor, "", tensor.bytes.size(), code_bytes(tensor)));

  std::optional<uint64_t> scales = 0;
  if (apart) scales = bytes_of(tensor, tensor.scale_dtype, groups_per_row(tensor));
  CHECK_OK(check_bytes(tensor, " of scales", tensor.scales.size(), scales));
  const std::optional<uint64_t> biases = tensor.dtype == DType::mlx_q4 ? scales : 0;
  return check_bytes(tensor, " of biases", tensor.biases.size(), biases);
}

Result<void> dequantise_rows(const TensorInfo& tensor, uint64_t first_row, uint64_t n_rows,
                             std::span<float> out) {
  if (!is_quantised(tensor.dtype) && !is_float(tensor.dtype)) {
    return fail(ErrorCode::unsupported,
                "tensor '{}': has type {}, expected f32, f16, bf16 or a quantised type",
                printable(tensor.name), to_string(tensor.dtype));
  }
  CHECK_OK(check_size(tensor));
  const uint64_t in_dim = row_length(tensor);
  // Without values the other dimensions may multiply to anything; with them, to less than a file.
  const uint64_t n_values = tensor.bytes.empty() ? 0 : tensor.shape.count();
  const uint64_t all_rows = n_values == 0 ? 0 : n_values / in_dim;
  if (n_values == 0 && out.empty()) return {};
  if (first_row > all_rows || n_rows > all_rows - first_row) {
    return fail(ErrorCode::invalid_argument,
                "tensor '{}': has {} rows, asked for {} from row {} on", printable(tensor.name),
                all_rows, n_rows, first_row);
  }
  if (out.size() != n_rows * in_dim) {
    return fail(ErrorCode::invalid_argument,
                "tensor '{}': {} values are to take {} rows of {}, expected {}",
                printable(tensor.name), out.size(), n_rows, in_dim, n_rows * in_dim);
  }
  for (uint64_t r = 0; r < n_rows; ++r) {
    one_row(tensor, first_row + r, out.subspan(r * in_dim, in_dim));
  }
  return {};
}

Result<std::vector<float>> to_f32(const TensorInfo& tensor) {
  // Only after the check do the dimensions multiply to what the file has.
  CHECK_OK(check_size(tensor));
  const uint64_t n_values = tensor.bytes.empty() ? 0 : tensor.shape.count();
  std::vector<float> values(n_values);
  const uint64_t n_rows = n_values == 0 ? 0 : n_values / row_length(tensor);
  TensorInfo here = tensor;  // in a page its bytes may have to be fetched first
  for (FileBytes* bytes : {&here.bytes, &here.scales, &here.biases}) {
    TRY(*bytes, bytes->read(0, bytes->size()));
  }
  CHECK_OK(dequantise_rows(here, 0, n_rows, values));
  return values;
}

}  // namespace handloom::formats
