#include "formats/fields.h"

#include <limits>

namespace handloom::formats {
namespace {

Result<uint32_t> check_u32(uint32_t value, const JsonObject& object, std::string_view key,
                           uint32_t low, uint32_t high) {
  if (value >= low && value <= high) return value;
  return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected {} to {}", object.where(), key,
              value, low, high);
}

Result<float> check_float(double value, const JsonObject& object, std::string_view key,
                          const Range& range) {
  // A double just inside an open end can round onto it.
  const auto rounded = static_cast<float>(value);
  if (range.holds(value) && range.holds(rounded)) return rounded;
  return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected {}", object.where(), key, value,
              to_string(range));
}

Result<uint32_t> to_id(const Json& value, const JsonObject& object, std::string_view key) {
  constexpr uint64_t kMax = std::numeric_limits<uint32_t>::max();
  if (value.is_number_unsigned() && value.get<uint64_t>() <= kMax) return value.get<uint32_t>();
  return fail(ErrorCode::bad_format, "{}: '{}' holds {}, expected token ids", object.where(), key,
              describe(value));
}

}  // namespace

std::string to_string(const Range& range) {
  const std::string_view above = range.low_open ? "more than" : "at least";
  const std::string_view below = range.high_open ? "less than" : "at most";
  if (range.high > std::numeric_limits<float>::max()) return fmt::format("{} {}", above, range.low);
  return fmt::format("{} {} and {} {}", above, range.low, below, range.high);
}

Result<uint32_t> get_u32_in(const JsonObject& object, std::string_view key, uint32_t low,
                            uint32_t high) {
  TRY(const uint32_t value, object.get_u32(key));
  return check_u32(value, object, key, low, high);
}

Result<std::optional<uint32_t>> find_u32_in(const JsonObject& object, std::string_view key,
                                            uint32_t low, uint32_t high) {
  TRY(const std::optional<uint32_t> value, object.find_u32(key));
  if (value) CHECK_OK(check_u32(*value, object, key, low, high));
  return value;
}

Result<float> get_float_in(const JsonObject& object, std::string_view key, const Range& range) {
  TRY(const double value, object.get_number(key));
  return check_float(value, object, key, range);
}

Result<std::optional<float>> find_float_in(const JsonObject& object, std::string_view key,
                                           const Range& range) {
  TRY(const std::optional<double> value, object.find_number(key));
  if (!value) return std::optional<float>();
  TRY(const float checked, check_float(*value, object, key, range));
  return std::optional(checked);
}

Result<std::vector<uint32_t>> find_ids(const JsonObject& object, std::string_view key) {
  std::vector<uint32_t> ids;
  const Json* value = object.find(key);
  if (value == nullptr) return ids;
  if (!value->is_array()) {
    TRY(const uint32_t id, to_id(*value, object, key));
    ids.push_back(id);
    return ids;
  }
  for (const Json& item : *value) {
    TRY(const uint32_t id, to_id(item, object, key));
    ids.push_back(id);
  }
  return ids;
}

Result<std::vector<uint64_t>> get_u64_list(const JsonObject& object, std::string_view key) {
  const Json* list = object.find(key);
  if (list == nullptr || !list->is_array()) {
    return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected an array of whole numbers",
                object.where(), key, list == nullptr ? "missing" : describe(*list));
  }
  std::vector<uint64_t> numbers;
  for (const Json& item : *list) {
    if (!item.is_number_unsigned()) {
      return fail(ErrorCode::bad_format, "{}: '{}' holds {}, expected whole numbers",
                  object.where(), key, describe(item));
    }
    numbers.push_back(item.get<uint64_t>());
  }
  return numbers;
}

Result<Shape> to_shape(const std::vector<uint64_t>& dims, const std::string& where) {
  if (dims.size() > Shape::kMaxRank) {
    return fail(ErrorCode::unsupported, "{}: has {} dimensions, expected at most {}", where,
                dims.size(), Shape::kMaxRank);
  }
  std::vector<uint32_t> narrow;
  for (const uint64_t dim : dims) {
    constexpr uint64_t kMax = std::numeric_limits<uint32_t>::max();
    if (dim > kMax) {
      return fail(ErrorCode::unsupported, "{}: has a dimension of {}, expected at most {}", where,
                  dim, kMax);
    }
    narrow.push_back(static_cast<uint32_t>(dim));
  }
  return Shape(narrow);
}

bool is_plain_file_name(std::string_view name) {
  const bool plain = std::ranges::none_of(name, [](char c) {
    return c == '/' || c == '\\' || c == ':' || static_cast<unsigned char>(c) < 0x20;
  });
  return plain && !name.empty() && name != "." && name != "..";
}

}  // namespace handloom::formats
