#include "formats/grouped.h"

#include "formats/fields.h"
#include "formats/names.h"
#include "formats/safetensors.h"

#include <algorithm>
#include <array>
#include <limits>

namespace handloom::formats {
namespace {

constexpr size_t kMaxConfigBytes = size_t{16} << 20;
constexpr std::array kGroups = {32u, 64u, 128u};
constexpr uint32_t kMlxBits = 4;
constexpr std::string_view kCodes = "_q", kScale = "_scale";                               // INT8
constexpr std::string_view kWeight = ".weight", kScales = ".scales", kBiases = ".biases";  // MLX

bool is_group(uint64_t n) { return std::ranges::find(kGroups, n) != kGroups.end(); }

std::string base_of(const TensorInfo& tensor, std::string_view suffix) {
  return tensor.name.substr(0, tensor.name.size() - suffix.size());
}

/// Equal in all dimensions but the last; of two at least.
bool same_rows(const Shape& a, const Shape& b) {
  if (a.rank() != b.rank() || a.rank() < 2) return false;
  return std::ranges::equal(a.dims().first(a.rank() - 1), b.dims().first(b.rank() - 1));
}

uint32_t columns(const TensorInfo& tensor) { return tensor.shape.dim(tensor.shape.rank() - 1); }

/// AWQ and GPTQ pack their codes another way, in several ways.
Result<void> check_method(const Checkpoint& plain) {
  for (const TensorInfo& tensor : plain.tensors()) {
    for (const std::string_view suffix : {".qweight", ".qzeros", ".g_idx"}) {
      if (!tensor.name.ends_with(suffix)) continue;
      return fail(ErrorCode::unsupported,
                  "{}: tensor '{}' is AWQ's or GPTQ's, which handloom does not read; take the "
                  "unquantised model",
                  plain.where(), printable(tensor.name));
    }
  }
  return {};
}

std::unexpected<Error> lacks(const Checkpoint& plain, const TensorInfo& tensor,
                             std::string_view other) {
  return fail(ErrorCode::bad_format, "{}: tensor '{}' is there without '{}', expected both",
              plain.where(), printable(tensor.name), printable(other));
}

Result<TensorInfo> join_int8(const Checkpoint& plain, const TensorInfo& codes) {
  const std::string base = base_of(codes, kCodes);
  const std::string scale_name = base + std::string(kScale);
  const TensorInfo* scales = plain.find(scale_name);
  if (scales == nullptr) return lacks(plain, codes, scale_name);
  const bool fits = same_rows(codes.shape, scales->shape) && columns(*scales) > 0 &&
                    columns(codes) % columns(*scales) == 0 &&
                    is_group(columns(codes) / columns(*scales));
  if (!fits || scales->dtype != DType::f32) {
    return fail(ErrorCode::bad_format,
                "{}: tensor '{}' is {} {}, expected an f32 for each 32, 64 or 128 columns of {}",
                plain.where(), printable(scale_name), to_string(scales->dtype),
                to_string(scales->shape), to_string(codes.shape));
  }
  return TensorInfo{.name = base,
                    .dtype = DType::int8_block,
                    .shape = codes.shape,
                    .bytes = codes.bytes,
                    .scales = scales->bytes,
                    .scale_dtype = DType::f32,
                    .group = columns(codes) / columns(*scales)};
}

Result<TensorInfo> join_mlx(const Checkpoint& plain, const TensorInfo& scales,
                            const std::optional<MlxQuantization>& mlx) {
  const std::string base = base_of(scales, kScales);
  const std::string code_name = base + std::string(kWeight),
                    bias_name = base + std::string(kBiases);
  const TensorInfo *codes = plain.find(code_name), *biases = plain.find(bias_name);
  if (codes == nullptr) return lacks(plain, scales, code_name);
  if (biases == nullptr) return lacks(plain, scales, bias_name);
  if (!mlx) {
    return fail(ErrorCode::bad_format,
                "{}: tensor '{}' is MLX's, whose config.json says how: 'quantization' is missing",
                plain.where(), printable(scales.name));
  }
  const bool alike = scales.shape == biases->shape && scales.dtype == biases->dtype;
  if (!alike || !is_float(scales.dtype) || codes->dtype != DType::u32 ||
      !same_rows(codes->shape, scales.shape)) {
    return fail(
        ErrorCode::bad_format,
        "{}: tensor '{}' is {} {} beside scales {} {} and biases {} {}, expected u32 beside "
        "one f16, bf16 or f32 of each for a group of a row",
        plain.where(), printable(code_name), to_string(codes->dtype), to_string(codes->shape),
        to_string(scales.dtype), to_string(scales.shape), to_string(biases->dtype),
        to_string(biases->shape));
  }
  const uint32_t group = mlx->group_of(base);
  const uint64_t n_values = uint64_t{columns(scales)} * group;
  const uint64_t n_bits = uint64_t{columns(*codes)} * 32;
  if (n_bits != n_values * kMlxBits || n_values > std::numeric_limits<uint32_t>::max()) {
    const bool whole = n_values > 0 && n_bits % n_values == 0 && n_bits / n_values <= 16;
    return fail(whole ? ErrorCode::unsupported : ErrorCode::bad_format,
                "{}: tensor '{}' has {} bits for {} values, only 4 bits a value are supported",
                plain.where(), printable(code_name), n_bits, n_values);
  }
  std::vector<uint32_t> dims(codes->shape.dims().begin(), codes->shape.dims().end());
  dims.back() = static_cast<uint32_t>(n_values);
  return TensorInfo{.name = code_name,
                    .dtype = DType::mlx_q4,
                    .shape = Shape(dims),
                    .bytes = codes->bytes,
                    .scales = scales.bytes,
                    .biases = biases->bytes,
                    .scale_dtype = scales.dtype,
                    .group = group};
}

/// Whether `tensor` is a part that joins into another, or is joined from this one.
bool is_spent(const Checkpoint& plain, const TensorInfo& tensor) {
  const std::string_view name = tensor.name;
  const auto there = [&](std::string_view suffix, std::string_view other) {
    return plain.find(std::string(name.substr(0, name.size() - suffix.size())).append(other));
  };
  if (name.ends_with(kScale)) {
    const TensorInfo* codes = there(kScale, kCodes);
    return codes != nullptr && codes->dtype == DType::i8;
  }
  return (name.ends_with(kWeight) && there(kWeight, kScales) != nullptr) || name.ends_with(kBiases);
}

Result<uint32_t> parse_group(const JsonObject& object, std::optional<uint32_t> otherwise) {
  TRY(const auto given, find_u32_in(object, "group_size", 1, 1024));
  if (!given && otherwise) return *otherwise;
  TRY(const uint32_t group, object.get_u32("group_size"));
  if (is_group(group)) return group;
  return fail(ErrorCode::unsupported, "{}: 'group_size' is {}, only 32, 64 and 128 are supported",
              object.where(), group);
}

Result<std::optional<MlxQuantization>> find_mlx_beside(const std::string& folder_or_file) {
  const size_t slash = folder_or_file.rfind('/');
  const std::string folder = is_folder(folder_or_file)    ? folder_or_file
                             : slash == std::string::npos ? "."
                                                          : folder_or_file.substr(0, slash);
  const std::string config = folder + "/config.json";
  if (!file_exists(config)) return std::nullopt;
  TRY(const std::string& text, read_text_file(config, kMaxConfigBytes));
  return parse_mlx_quantization(text, config);
}

}  // namespace

uint32_t MlxQuantization::group_of(std::string_view base) const {
  const auto other = other_groups.find(base);
  return other == other_groups.end() ? group : other->second;
}

Result<std::optional<MlxQuantization>> parse_mlx_quantization(std::string_view config_json,
                                                              std::string where) {
  TRY(const Json& root, parse_json(config_json, where));
  TRY(const JsonObject& config, JsonObject::from(root, std::move(where)));
  const Json* value = config.find("quantization");
  if (value == nullptr) return std::nullopt;
  TRY(const JsonObject& object, config.get_object("quantization"));
  TRY(const auto& mode, object.find_string("mode"));
  if (mode && *mode != "affine") {
    return fail(ErrorCode::unsupported, "{}: 'mode' is '{}', only affine is supported",
                object.where(), printable(*mode));
  }
  TRY(const uint32_t bits, object.get_u32("bits"));
  if (bits != kMlxBits) {
    return fail(ErrorCode::unsupported, "{}: 'bits' is {}, only 4 is supported", object.where(),
                bits);
  }
  MlxQuantization mlx;
  TRY(mlx.group, parse_group(object, std::nullopt));
  for (const auto& [base, other] : value->items()) {
    if (!other.is_object()) continue;  // a setting of all, or false: that matrix is plain
    TRY(const JsonObject& own, object.get_object(base));
    TRY(mlx.other_groups[base], parse_group(own, mlx.group));
  }
  return mlx;
}

Result<Checkpoint> join_grouped(Checkpoint plain, const std::optional<MlxQuantization>& mlx) {
  CHECK_OK(check_method(plain));
  std::vector<TensorInfo> joined;
  for (const TensorInfo& tensor : plain.tensors()) {
    if (tensor.name.ends_with(kCodes) && tensor.dtype == DType::i8) {
      TRY(TensorInfo whole, join_int8(plain, tensor));
      joined.push_back(std::move(whole));
    } else if (tensor.name.ends_with(kScales)) {
      TRY(TensorInfo whole, join_mlx(plain, tensor, mlx));
      joined.push_back(std::move(whole));
    } else if (tensor.name.ends_with(kBiases) &&
               plain.find(base_of(tensor, kBiases) + std::string(kScales)) == nullptr) {
      return lacks(plain, tensor, base_of(tensor, kBiases) + std::string(kScales));
    } else if (!is_spent(plain, tensor)) {
      joined.push_back(tensor);
    }
  }
  return std::move(plain).with_tensors(std::move(joined));
}

Result<Checkpoint> open_grouped(const std::string& folder_or_file) {
  TRY(Checkpoint plain, open_safetensors(folder_or_file));
  TRY(const auto mlx, find_mlx_beside(folder_or_file));
  return join_grouped(std::move(plain), mlx);
}

}  // namespace handloom::formats
