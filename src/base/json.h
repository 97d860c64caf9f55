// JSON of unknown origin, read without exceptions: every getter says where, which key, found and
// expected. The parser is nlohmann-json; nothing else in src/ calls its throwing accessors.
#pragma once

#include "base/result.h"

// An ABI namespace of our own: apps/ use the same library with exceptions, and one program must not
// hold two meanings of the same inline functions.
#define JSON_NOEXCEPTION 1
#define NLOHMANN_JSON_NAMESPACE_BEGIN \
  namespace nlohmann {                \
  inline namespace handloom_core {
#define NLOHMANN_JSON_NAMESPACE_END \
  }                                 \
  }
#define NLOHMANN_JSON_NAMESPACE nlohmann::handloom_core
#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace handloom {

using Json = nlohmann::json;

/// `where` starts the error message: a path, usually.
Result<Json> parse_json(std::string_view text, std::string_view where);

/// A short rendering for error messages: the value itself if it is short, else its type.
std::string describe(const Json& value);

/// One JSON object with the name that its errors begin with. Does not own the object.
///
/// The `get_` forms require the key; the `find_` forms answer nullopt if it is absent or null, and
/// still fail if it is present with another type.
class JsonObject {
 public:
  /// Fails unless `value` is an object.
  static Result<JsonObject> from(const Json& value, std::string where);

  const std::string& where() const { return where_; }
  bool has(std::string_view key) const { return find(key) != nullptr; }
  /// The raw value, or nullptr if absent or null.
  const Json* find(std::string_view key) const;
  /// Present, if only as null: to some keys that says another thing than their absence.
  bool contains(std::string_view key) const { return value_->contains(key); }

  Result<JsonObject> get_object(std::string_view key) const;
  Result<std::string> get_string(std::string_view key) const;
  Result<uint32_t> get_u32(std::string_view key) const;
  Result<double> get_number(std::string_view key) const;
  Result<bool> get_bool(std::string_view key) const;

  Result<std::optional<std::string>> find_string(std::string_view key) const;
  Result<std::optional<uint32_t>> find_u32(std::string_view key) const;
  Result<std::optional<double>> find_number(std::string_view key) const;
  Result<std::optional<bool>> find_bool(std::string_view key) const;

 private:
  JsonObject(const Json& value, std::string where) : value_(&value), where_(std::move(where)) {}

  const Json* value_;
  std::string where_;
};

}  // namespace handloom
