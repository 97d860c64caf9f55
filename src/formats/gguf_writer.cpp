#include "formats/gguf_writer.h"

#include "base/file.h"
#include "formats/checkpoint.h"
#include "formats/gguf_types.h"
#include "formats/names.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <set>
#include <string_view>
#include <type_traits>

namespace handloom::formats {
namespace {

static_assert(std::endian::native == std::endian::little, "values are written as they lie");

constexpr size_t kMaxNameBytes = 63;  // ggml keeps names in 64 bytes
constexpr size_t kMaxKeyBytes = 65535;

template <class T>
void append(std::string& out, T value) {
  static_assert(std::is_arithmetic_v<T>);
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

void append_type(std::string& out, GgufType type) { append(out, static_cast<uint32_t>(type)); }

void append_text(std::string& out, std::string_view text) {
  append(out, uint64_t{text.size()});
  out.append(text);
}

/// A type, then a value of it; one function for each kind that GgufField holds.
struct FieldWriter {
  std::string& out;

  void operator()(uint32_t value) const {
    append_type(out, GgufType::u32);
    append(out, value);
  }
  void operator()(float value) const {
    append_type(out, GgufType::f32);
    append(out, value);
  }
  void operator()(bool value) const {
    append_type(out, GgufType::boolean);
    append(out, uint8_t{value});
  }
  void operator()(const std::string& value) const {
    append_type(out, GgufType::string);
    append_text(out, value);
  }
  void operator()(const std::vector<float>& values) const { numbers(GgufType::f32, values); }
  void operator()(const std::vector<int32_t>& values) const { numbers(GgufType::i32, values); }
  void operator()(const std::vector<bool>& values) const {
    array(GgufType::boolean, values.size());
    for (const bool value : values) append(out, uint8_t{value});
  }
  void operator()(const std::vector<std::string>& values) const {
    array(GgufType::string, values.size());
    for (const std::string& value : values) append_text(out, value);
  }

  void array(GgufType type, size_t count) const {
    append_type(out, GgufType::array);
    append_type(out, type);
    append(out, uint64_t{count});
  }
  template <class T>
  void numbers(GgufType type, const std::vector<T>& values) const {
    array(type, values.size());
    for (const T value : values) append(out, value);
  }
};

uint64_t aligned(uint64_t offset) {
  return (offset + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment;
}

/// The bytes of the tensor's data.
Result<uint64_t> check_tensor(const std::string& path, const GgufTensor& tensor,
                              std::set<std::string_view>& names) {
  const std::string where = fmt::format("{}: tensor '{}'", path, printable(tensor.name));
  if (tensor.name.size() > kMaxNameBytes) {
    return fail(ErrorCode::invalid_argument, "{}: has a name of {} bytes, expected at most {}",
                where, tensor.name.size(), kMaxNameBytes);
  }
  if (!names.insert(tensor.name).second) {
    return fail(ErrorCode::invalid_argument, "{}: is there twice, expected once", where);
  }
  if (find_ggml_type(tensor.dtype) == nullptr) {
    return fail(ErrorCode::invalid_argument, "{}: has type {}, expected one that GGUF has ({})",
                where, to_string(tensor.dtype), supported_ggml_types());
  }
  const std::vector<uint64_t> dims(tensor.shape.dims().begin(), tensor.shape.dims().end());
  const std::optional<uint64_t> size = tensor_bytes(tensor.dtype, dims);
  if (size) return *size;
  return fail(ErrorCode::invalid_argument, "{}: has shape {}, expected rows of whole {} blocks",
              where, to_string(tensor.shape), to_string(tensor.dtype));
}

/// Where each tensor lies within the data, and in how many bytes.
struct Place {
  uint64_t offset, size;
};

Result<std::vector<Place>> plan(const std::string& path, std::span<const GgufTensor> tensors) {
  std::set<std::string_view> names;
  std::vector<Place> places;
  uint64_t offset = 0;
  for (const GgufTensor& tensor : tensors) {
    TRY(const uint64_t size, check_tensor(path, tensor, names));
    places.push_back({.offset = offset, .size = size});
    offset = aligned(offset + size);
  }
  return places;
}

void append_tensor(std::string& out, const GgufTensor& tensor, uint64_t offset) {
  append_text(out, tensor.name);
  append(out, tensor.shape.rank());
  for (uint32_t i = tensor.shape.rank(); i-- > 0;) append(out, uint64_t{tensor.shape.dim(i)});
  append(out, find_ggml_type(tensor.dtype)->id);
  append(out, offset);
}

Result<void> check_fields(const std::string& path, const GgufFields& fields) {
  for (const auto& [key, field] : fields) {
    if (key.size() <= kMaxKeyBytes && is_utf8(key)) continue;
    return fail(ErrorCode::invalid_argument,
                "{}: metadata key '{}' has {} bytes, expected UTF-8 of at most {}", path,
                printable(key), key.size(), kMaxKeyBytes);
  }
  if (fields.contains("general.architecture") && !fields.contains("general.alignment")) return {};
  return fail(ErrorCode::invalid_argument,
              "{}: expected metadata with 'general.architecture' and without 'general.alignment'",
              path);
}

std::string head(const GgufFields& fields, std::span<const GgufTensor> tensors,
                 std::span<const Place> places) {
  std::string out = "GGUF";
  append(out, kGgufVersion);
  append(out, uint64_t{tensors.size()});
  append(out, uint64_t{fields.size()});
  for (const auto& [key, field] : fields) {
    append_text(out, key);
    std::visit(FieldWriter{out}, field);
  }
  for (size_t i = 0; i < tensors.size(); ++i) append_tensor(out, tensors[i], places[i].offset);
  out.resize(aligned(out.size()), '\0');
  return out;
}

/// One tensor's bytes, filled up so that the next one is aligned.
Result<std::vector<std::byte>> padded(const std::string& path, const GgufTensor& tensor,
                                      uint64_t size, Result<std::vector<std::byte>> bytes) {
  TRY(std::vector<std::byte> filled, std::move(bytes));
  if (filled.size() != size) {
    return fail(ErrorCode::invalid_argument, "{}: tensor '{}' has {} bytes, expected {} for {} {}",
                path, printable(tensor.name), filled.size(), size, to_string(tensor.dtype),
                to_string(tensor.shape));
  }
  filled.resize(aligned(size));
  return filled;
}

}  // namespace

Result<void> write_gguf(const std::string& path, const GgufFields& given,
                        std::span<const GgufTensor> tensors, const GgufTensorBytes& bytes_of) {
  GgufFields fields = given;
  const bool quantised = std::ranges::any_of(tensors, is_quantised, &GgufTensor::dtype);
  if (quantised) fields.try_emplace("general.quantization_version", kQuantisationVersion);
  CHECK_OK(check_fields(path, fields));
  TRY(const std::vector<Place> places, plan(path, tensors));

  TRY(PartialFile file, PartialFile::create(path));
  const std::string front = head(fields, tensors, places);
  CHECK_OK(file.append(std::as_bytes(std::span(front))));
  for (size_t i = 0; i < tensors.size(); ++i) {
    TRY(const std::vector<std::byte> bytes, padded(path, tensors[i], places[i].size, bytes_of(i)));
    CHECK_OK(file.append(bytes));
  }
  return file.finish();
}

}  // namespace handloom::formats
