// The half of safetensors.h that gives tensors away, to files.
#include "formats/safetensors.h"

#include "base/json.h"
#include "formats/names.h"
#include "formats/quantised.h"

namespace handloom::formats {
namespace {

std::string_view file_dtype(DType dtype) {
  switch (dtype) {
    case DType::f32: return "F32";
    case DType::f16: return "F16";
    case DType::bf16: return "BF16";
    case DType::u32: return "U32";
    case DType::i32: return "I32";
    case DType::i64: return "I64";
    case DType::u8: return "U8";
    case DType::i8: return "I8";
    default: return "";  // quantised: safetensors has no name for it
  }
}

std::string_view npy_dtype(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::bf16: return "<f4";
    case DType::f16: return "<f2";
    case DType::u32: return "<u4";
    case DType::i32: return "<i4";
    case DType::i64: return "<i8";
    case DType::u8: return "|u1";
    case DType::i8: return "|i1";
    default: return "";
  }
}

/// Neither format has a name for quantised blocks.
Result<void> check_plain(const TensorInfo& tensor) {
  if (!is_quantised(tensor.dtype)) return {};
  return fail(ErrorCode::invalid_argument, "tensor '{}': has type {}, expected a plain type",
              printable(tensor.name), to_string(tensor.dtype));
}

Result<void> check_text(const std::string& path, std::string_view what, const std::string& text) {
  if (is_utf8(text)) return {};
  return fail(ErrorCode::invalid_argument, "{}: {} '{}' is not UTF-8", path, what, printable(text));
}

Result<Json> metadata_to_json(const std::string& path,
                              const std::map<std::string, std::string>& metadata) {
  Json object = Json::object();
  for (const auto& [key, text] : metadata) {
    CHECK_OK(check_text(path, "metadata key", key));
    CHECK_OK(check_text(path, "metadata text", text));
    object[key] = text;
  }
  return object;
}

/// Fills `header` with the tensors' entries, which lie in the given order.
Result<void> add_entries(const std::string& path, std::span<const TensorInfo* const> tensors,
                         Json& header) {
  uint64_t offset = 0;
  for (const TensorInfo* tensor : tensors) {
    CHECK_OK(check_size(*tensor));
    CHECK_OK(check_text(path, "tensor name", tensor->name));
    if (tensor->name == "__metadata__" || header.contains(tensor->name)) {
      return fail(ErrorCode::invalid_argument, "{}: tensor name '{}' is taken", path,
                  printable(tensor->name));
    }
    Json shape = Json::array();
    for (const uint32_t dim : tensor->shape.dims()) shape.push_back(dim);
    Json entry = Json::object();
    entry["dtype"] = file_dtype(tensor->dtype);
    entry["shape"] = std::move(shape);
    entry["data_offsets"] = {offset, offset + tensor->bytes.size()};
    header[tensor->name] = std::move(entry);
    offset += tensor->bytes.size();
  }
  return {};
}

/// The eight bytes of length and the header, padded so that the data begins at a multiple of 8.
std::string to_prefix(const Json& header) {
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string prefix;
  for (int i = 0; i < 8; ++i) prefix += static_cast<char>(uint64_t{text.size()} >> (8 * i) & 0xff);
  return prefix + text;
}

/// "(2, 3)", "(3,)" or "()".
std::string to_tuple(const Shape& shape) {
  std::string text = "(";
  for (const uint32_t dim : shape.dims()) {
    text += fmt::format("{}{}", text.size() > 1 ? ", " : "", dim);
  }
  return text + (shape.rank() == 1 ? ",)" : ")");
}

std::string npy_prefix(const TensorInfo& tensor) {
  std::string dict = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}",
                                 npy_dtype(tensor.dtype), to_tuple(tensor.shape));
  // Magic, version and length take 10 bytes; the data begins at a multiple of 64.
  dict.append(63 - (10 + dict.size()) % 64, ' ');
  dict += '\n';
  std::string prefix("\x93NUMPY\x01\x00", 8);
  prefix += static_cast<char>(dict.size() & 0xff);
  prefix += static_cast<char>(dict.size() >> 8);
  return prefix + dict;
}

}  // namespace

Result<void> write_safetensors(const std::string& path, std::span<const TensorInfo> tensors,
                               const std::map<std::string, std::string>& metadata) {
  // Wide elements first keeps every tensor aligned without holes, which the format forbids.
  std::vector<const TensorInfo*> order;
  for (const TensorInfo& tensor : tensors) CHECK_OK(check_plain(tensor));
  for (const uint32_t width : {8u, 4u, 2u, 1u}) {
    for (const TensorInfo& tensor : tensors) {
      if (dtype_bytes(tensor.dtype) == width) order.push_back(&tensor);
    }
  }

  Json header = Json::object();
  CHECK_OK(add_entries(path, order, header));
  TRY(Json described, metadata_to_json(path, metadata));
  if (!described.empty()) header["__metadata__"] = std::move(described);

  const std::string prefix = to_prefix(header);
  std::vector<std::span<const std::byte>> parts = {std::as_bytes(std::span(prefix))};
  for (const TensorInfo* tensor : order) parts.push_back(tensor->bytes);
  return write_file(path, parts);
}

Result<void> write_npy(const std::string& path, const TensorInfo& tensor) {
  CHECK_OK(check_plain(tensor));
  CHECK_OK(check_size(tensor));
  const std::string prefix = npy_prefix(tensor);
  std::vector<std::span<const std::byte>> parts = {std::as_bytes(std::span(prefix)), tensor.bytes};
  std::vector<float> widened;
  if (tensor.dtype == DType::bf16) {
    TRY(widened, to_f32(tensor));
    parts[1] = std::as_bytes(std::span(widened));
  }
  return write_file(path, parts);
}

}  // namespace handloom::formats
