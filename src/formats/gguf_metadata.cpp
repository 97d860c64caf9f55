#include "formats/gguf_metadata.h"

#include "base/sort.h"
#include "formats/names.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace handloom::formats {
namespace {

static_assert(std::endian::native == std::endian::little, "values are used as they lie");

constexpr uint64_t kMaxU32 = std::numeric_limits<uint32_t>::max();

template <class T>
T read(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

/// Element `i` of a type of fixed size.
const std::byte* element(const GgufValue& value, uint64_t i) {
  return value.bytes.data() + i * value_bytes(value.type);
}

bool is_integer(GgufType type) {
  switch (type) {
    case GgufType::f32:
    case GgufType::f64:
    case GgufType::boolean:
    case GgufType::string:
    case GgufType::array: return false;
    default: return true;
  }
}

/// Of an integer type. The one width that int64_t does not hold saturates, far beyond any use.
int64_t integer(const GgufValue& value, uint64_t i) {
  const std::byte* at = element(value, i);
  switch (value.type) {
    case GgufType::u8: return read<uint8_t>(at);
    case GgufType::i8: return read<int8_t>(at);
    case GgufType::u16: return read<uint16_t>(at);
    case GgufType::i16: return read<int16_t>(at);
    case GgufType::u32: return read<uint32_t>(at);
    case GgufType::i32: return read<int32_t>(at);
    case GgufType::i64: return read<int64_t>(at);
    default: {
      constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
      return static_cast<int64_t>(std::min(read<uint64_t>(at), kMax));
    }
  }
}

double number(const GgufValue& value) {
  const std::byte* at = value.bytes.data();
  return value.type == GgufType::f32 ? read<float>(at) : read<double>(at);
}

/// The string at `offset`, which moves behind it.
std::string_view next_string(const GgufValue& value, size_t& offset) {
  const auto length = static_cast<size_t>(read<uint64_t>(value.bytes.data() + offset));
  const auto* text = reinterpret_cast<const char*>(value.bytes.data() + offset + 8);
  offset += 8 + length;
  return {text, length};
}

bool is_scalar(const GgufValue& value, GgufType type) {
  return !value.is_array && value.type == type;
}

}  // namespace

std::string describe(const GgufValue& value) {
  if (value.is_array) {
    return fmt::format("an array of {} {}", value.count,
                       value.type == GgufType::string ? "strings" : to_string(value.type));
  }
  size_t begin = 0;
  switch (value.type) {
    case GgufType::string: return fmt::format("\"{}\"", printable(next_string(value, begin)));
    case GgufType::boolean: return read<uint8_t>(value.bytes.data()) != 0 ? "true" : "false";
    case GgufType::f32: return fmt::format("{}", read<float>(value.bytes.data()));
    case GgufType::f64: return fmt::format("{}", read<double>(value.bytes.data()));
    case GgufType::u64: return fmt::format("{}", read<uint64_t>(value.bytes.data()));
    default: return fmt::format("{}", integer(value, 0));
  }
}

Result<GgufMetadata> GgufMetadata::from(std::string where, std::vector<Entry> entries) {
  sort_by(entries, &Entry::key);
  const auto twice = std::ranges::adjacent_find(entries, {}, &Entry::key);
  if (twice != entries.end()) {
    return fail(ErrorCode::bad_format, "{}: metadata key '{}' is there twice, expected once", where,
                printable(twice->key));
  }
  return GgufMetadata(std::move(where), std::move(entries));
}

const GgufValue* GgufMetadata::find(std::string_view key) const {
  const auto it = std::ranges::lower_bound(entries_, key, {}, &Entry::key);
  return it != entries_.end() && it->key == key ? &it->value : nullptr;
}

Result<std::optional<uint32_t>> GgufMetadata::find_u32(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::optional<uint32_t>();
  if (!value->is_array && is_integer(value->type)) {
    const int64_t wide = integer(*value, 0);
    if (wide >= 0 && static_cast<uint64_t>(wide) <= kMaxU32) {
      return std::optional(static_cast<uint32_t>(wide));
    }
  }
  return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected a whole number from 0 to {}", where_,
              printable(key), describe(*value), kMaxU32);
}

Result<std::optional<double>> GgufMetadata::find_number(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::optional<double>();
  if (is_scalar(*value, GgufType::f32) || is_scalar(*value, GgufType::f64)) {
    return std::optional(number(*value));
  }
  return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected a floating-point number", where_,
              printable(key), describe(*value));
}

Result<std::optional<bool>> GgufMetadata::find_bool(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::optional<bool>();
  if (is_scalar(*value, GgufType::boolean)) {
    return std::optional(read<uint8_t>(value->bytes.data()) != 0);
  }
  return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected true or false", where_,
              printable(key), describe(*value));
}

Result<std::optional<std::string>> GgufMetadata::find_string(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::optional<std::string>();
  if (is_scalar(*value, GgufType::string)) {
    size_t begin = 0;
    return std::optional(std::string(next_string(*value, begin)));
  }
  return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected a string", where_, printable(key),
              describe(*value));
}

Result<uint32_t> GgufMetadata::get_u32(std::string_view key) const {
  TRY(const auto value, find_u32(key));
  if (value) return *value;
  return fail(ErrorCode::bad_format, "{}: '{}' is missing, expected a whole number", where_,
              printable(key));
}

Result<double> GgufMetadata::get_number(std::string_view key) const {
  TRY(const auto value, find_number(key));
  if (value) return *value;
  return fail(ErrorCode::bad_format, "{}: '{}' is missing, expected a number", where_,
              printable(key));
}

Result<std::string> GgufMetadata::get_string(std::string_view key) const {
  TRY(auto value, find_string(key));
  if (value) return std::move(*value);
  return fail(ErrorCode::bad_format, "{}: '{}' is missing, expected a string", where_,
              printable(key));
}

/// nullptr if the key is absent.
Result<const GgufValue*> GgufMetadata::find_array(std::string_view key,
                                                  std::string_view expected) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return nullptr;
  const bool fits = expected == "strings" ? value->type == GgufType::string
                    : expected == "f32"   ? value->type == GgufType::f32
                    : expected == "bool"  ? value->type == GgufType::boolean
                                          : is_integer(value->type);
  if (value->is_array && fits) return value;
  return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected an array of {}", where_,
              printable(key), describe(*value), expected);
}

Result<std::vector<uint32_t>> GgufMetadata::find_u32s(std::string_view key) const {
  std::vector<uint32_t> numbers;
  TRY(const GgufValue* value, find_array(key, "whole numbers"));
  if (value == nullptr) return numbers;
  numbers.reserve(value->count);
  for (uint64_t i = 0; i < value->count; ++i) {
    const int64_t wide = integer(*value, i);
    if (wide < 0 || static_cast<uint64_t>(wide) > kMaxU32) {
      return fail(ErrorCode::bad_format, "{}: '{}' holds {}, expected whole numbers from 0 to {}",
                  where_, printable(key), wide, kMaxU32);
    }
    numbers.push_back(static_cast<uint32_t>(wide));
  }
  return numbers;
}

Result<std::vector<float>> GgufMetadata::find_floats(std::string_view key) const {
  std::vector<float> numbers;
  TRY(const GgufValue* value, find_array(key, "f32"));
  if (value == nullptr || value->count == 0) return numbers;
  numbers.resize(value->count);
  std::memcpy(numbers.data(), value->bytes.data(), value->bytes.size());
  return numbers;
}

Result<Flags> GgufMetadata::find_bools(std::string_view key) const {
  Flags flags;
  TRY(const GgufValue* value, find_array(key, "bool"));
  if (value == nullptr) return flags;
  for (const std::byte flag : value->bytes) flags.push_back(flag != std::byte{0});
  return flags;
}

Result<std::vector<std::string>> GgufMetadata::find_strings(std::string_view key) const {
  std::vector<std::string> strings;
  TRY(const GgufValue* value, find_array(key, "strings"));
  if (value == nullptr) return strings;
  strings.reserve(value->count);
  size_t offset = 0;
  for (uint64_t i = 0; i < value->count; ++i) strings.emplace_back(next_string(*value, offset));
  return strings;
}

}  // namespace handloom::formats
