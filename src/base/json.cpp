#include "base/json.h"

#include <limits>

namespace handloom {
namespace {

Result<std::string> as_string(const Json& v, const std::string& where, std::string_view key) {
  if (v.is_string()) return v.get<std::string>();
  return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected a string", where, key, describe(v));
}

Result<uint32_t> as_u32(const Json& v, const std::string& where, std::string_view key) {
  constexpr uint64_t kMax = std::numeric_limits<uint32_t>::max();
  if (v.is_number_unsigned() && v.get<uint64_t>() <= kMax) {
    return static_cast<uint32_t>(v.get<uint64_t>());
  }
  return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected a whole number from 0 to {}", where,
              key, describe(v), kMax);
}

Result<double> as_number(const Json& v, const std::string& where, std::string_view key) {
  if (v.is_number()) return v.get<double>();
  return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected a number", where, key, describe(v));
}

Result<bool> as_bool(const Json& v, const std::string& where, std::string_view key) {
  if (v.is_boolean()) return v.get<bool>();
  return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected true or false", where, key,
              describe(v));
}

std::unexpected<Error> missing(const std::string& where, std::string_view key,
                               std::string_view expected) {
  return fail(ErrorCode::bad_format, "{}: '{}' is missing, expected {}", where, key, expected);
}

template <class T, class Convert>
Result<std::optional<T>> optional_of(const Json* v, const std::string& where, std::string_view key,
                                     Convert convert) {
  if (v == nullptr) return std::optional<T>();
  TRY(T value, convert(*v, where, key));
  return std::optional<T>(std::move(value));
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view where) {
  Json value = Json::parse(text.begin(), text.end(), nullptr, false);
  if (value.is_discarded()) {
    return fail(ErrorCode::bad_format, "{}: is not valid JSON ({} bytes)", where, text.size());
  }
  return value;
}

std::string describe(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return fmt::format("an array of {}", value.size());
  // `replace`: the value may hold invalid UTF-8, which must not stop the message.
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 60) return fmt::format("a {} of {} characters", value.type_name(), text.size());
  return text;
}

Result<JsonObject> JsonObject::from(const Json& value, std::string where) {
  if (!value.is_object()) {
    return fail(ErrorCode::bad_format, "{}: is {}, expected an object", where, describe(value));
  }
  return JsonObject(value, std::move(where));
}

const Json* JsonObject::find(std::string_view key) const {
  const auto it = value_->find(key);
  return it == value_->end() || it->is_null() ? nullptr : &*it;
}

Result<JsonObject> JsonObject::get_object(std::string_view key) const {
  const Json* v = find(key);
  if (v == nullptr) return missing(where_, key, "an object");
  if (!v->is_object()) {
    return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected an object", where_, key,
                describe(*v));
  }
  return JsonObject(*v, fmt::format("{}: {}", where_, key));
}

Result<std::string> JsonObject::get_string(std::string_view key) const {
  const Json* v = find(key);
  return v ? as_string(*v, where_, key) : missing(where_, key, "a string");
}

Result<uint32_t> JsonObject::get_u32(std::string_view key) const {
  const Json* v = find(key);
  return v ? as_u32(*v, where_, key) : missing(where_, key, "a whole number");
}

Result<double> JsonObject::get_number(std::string_view key) const {
  const Json* v = find(key);
  return v ? as_number(*v, where_, key) : missing(where_, key, "a number");
}

Result<bool> JsonObject::get_bool(std::string_view key) const {
  const Json* v = find(key);
  return v ? as_bool(*v, where_, key) : missing(where_, key, "true or false");
}

Result<std::optional<std::string>> JsonObject::find_string(std::string_view key) const {
  return optional_of<std::string>(find(key), where_, key, as_string);
}

Result<std::optional<uint32_t>> JsonObject::find_u32(std::string_view key) const {
  return optional_of<uint32_t>(find(key), where_, key, as_u32);
}

Result<std::optional<double>> JsonObject::find_number(std::string_view key) const {
  return optional_of<double>(find(key), where_, key, as_number);
}

Result<std::optional<bool>> JsonObject::find_bool(std::string_view key) const {
  return optional_of<bool>(find(key), where_, key, as_bool);
}

}  // namespace handloom
