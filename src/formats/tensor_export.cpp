// The half of safetensors.h that gives tensors away, to files.
#include "formats/safetensors.h"

#include "base/json.h"
#include "formats/names.h"
#include "formats/quantised.h"

#include <algorithm>

namespace handloom::formats {
namespace {

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
Result<void> check_plain(const std::string& name, DType dtype) {
  if (!is_quantised(dtype)) return {};
  return fail(ErrorCode::invalid_argument, "tensor '{}': has type {}, expected a plain type",
              printable(name), to_string(dtype));
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

uint64_t bytes_in_file(const SafetensorsTensor& t) {
  return t.shape.count() * dtype_bytes(t.dtype);
}

/// Fills `header` with the tensors' entries, which lie in the given order.
Result<void> add_entries(const std::string& path, std::span<const SafetensorsTensor> tensors,
                         Json& header) {
  uint64_t offset = 0;
  for (const SafetensorsTensor& tensor : tensors) {
    CHECK_OK(check_plain(tensor.name, tensor.dtype));
    CHECK_OK(check_text(path, "tensor name", tensor.name));
    if (tensor.name == "__metadata__" || header.contains(tensor.name)) {
      return fail(ErrorCode::invalid_argument, "{}: tensor name '{}' is taken", path,
                  printable(tensor.name));
    }
    const uint64_t end = offset + bytes_in_file(tensor);
    Json shape = Json::array();
    for (const uint32_t dim : tensor.shape.dims()) shape.push_back(dim);
    header[tensor.name] = {{"dtype", safetensors_dtype(tensor.dtype)},
                           {"shape", std::move(shape)},
                           {"data_offsets", {offset, end}}};
    offset = end;
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

Result<void> write_safetensors_stream(const std::string& path,
                                      std::span<const SafetensorsTensor> tensors,
                                      const std::map<std::string, std::string>& metadata,
                                      const SafetensorsBytes& bytes_of) {
  Json header = Json::object();
  CHECK_OK(add_entries(path, tensors, header));
  TRY(Json described, metadata_to_json(path, metadata));
  if (!described.empty()) header["__metadata__"] = std::move(described);

  TRY(PartialFile file, PartialFile::create(path));
  const std::string prefix = to_prefix(header);
  CHECK_OK(file.append(std::as_bytes(std::span(prefix))));
  for (size_t i = 0; i < tensors.size(); ++i) {
    TRY(const std::span<const std::byte> bytes, bytes_of(i));
    const SafetensorsTensor& tensor = tensors[i];
    if (bytes.size() != bytes_in_file(tensor)) {
      return fail(ErrorCode::invalid_argument,
                  "{}: tensor '{}': has {} bytes, expected {} for {} {}", path,
                  printable(tensor.name), bytes.size(), bytes_in_file(tensor),
                  to_string(tensor.dtype), to_string(tensor.shape));
    }
    CHECK_OK(file.append(bytes));
  }
  return file.finish();
}

Result<void> write_safetensors(const std::string& path, std::span<const TensorInfo> tensors,
                               const std::map<std::string, std::string>& metadata) {
  std::vector<const TensorInfo*> order;
  for (const TensorInfo& tensor : tensors) {
    CHECK_OK(check_size(tensor));
    order.push_back(&tensor);
  }
  // Wide elements first keeps every tensor aligned without holes, which the format forbids.
  std::ranges::stable_sort(order, std::ranges::greater(),
                           [](const TensorInfo* t) { return block_size(t->dtype).bytes; });
  std::vector<SafetensorsTensor> heads;
  for (const TensorInfo* tensor : order) {
    heads.push_back({tensor->name, tensor->dtype, tensor->shape});
  }
  return write_safetensors_stream(
      path, heads, metadata,
      [&](size_t i) -> Result<std::span<const std::byte>> { return order[i]->bytes; });
}

Result<void> write_npy(const std::string& path, const TensorInfo& tensor) {
  CHECK_OK(check_plain(tensor.name, tensor.dtype));
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
