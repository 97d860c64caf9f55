#include "convert/safetensors_stream.h"

#include "base/file.h"
#include "base/json.h"
#include "formats/names.h"

namespace handloom::convert {
namespace {

std::string_view file_dtype(DType dtype) {
  switch (dtype) {
    case DType::f32: return "F32";
    case DType::f16: return "F16";
    case DType::bf16: return "BF16";
    case DType::i8: return "I8";
    default: return "";
  }
}

uint64_t bytes_of_tensor(const StreamTensor& t) { return t.shape.count() * dtype_bytes(t.dtype); }

/// The length and the header, padded so that the data begins at a multiple of 8.
std::string head(std::span<const StreamTensor> tensors) {
  Json header = Json::object();
  header["__metadata__"] = {{"format", "pt"}};
  uint64_t offset = 0;
  for (const StreamTensor& t : tensors) {
    const uint64_t end = offset + bytes_of_tensor(t);
    Json shape = Json::array();
    for (const uint32_t dim : t.shape.dims()) shape.push_back(dim);
    header[t.name] = {{"dtype", file_dtype(t.dtype)},
                      {"shape", std::move(shape)},
                      {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string prefix;
  for (int i = 0; i < 8; ++i) prefix += static_cast<char>(uint64_t{text.size()} >> (8 * i) & 0xff);
  return prefix + text;
}

}  // namespace

Result<void> write_safetensors_stream(
    const std::string& path, std::span<const StreamTensor> tensors,
    const std::function<Result<std::vector<std::byte>>(size_t i)>& bytes_of) {
  TRY(PartialFile file, PartialFile::create(path));
  const std::string front = head(tensors);
  CHECK_OK(file.append(std::as_bytes(std::span(front))));
  for (size_t i = 0; i < tensors.size(); ++i) {
    TRY(const std::vector<std::byte> bytes, bytes_of(i));
    if (bytes.size() != bytes_of_tensor(tensors[i])) {
      return fail(ErrorCode::invalid_argument,
                  "{}: tensor '{}' has {} bytes, expected {} for {} {}", path,
                  formats::printable(tensors[i].name), bytes.size(), bytes_of_tensor(tensors[i]),
                  to_string(tensors[i].dtype), to_string(tensors[i].shape));
    }
    CHECK_OK(file.append(bytes));
  }
  return file.finish();
}

}  // namespace handloom::convert
