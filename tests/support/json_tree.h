// A JSON text as a tree in one line that two parsers agree on: kinds, exact numbers, sorted keys.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace handloom::test {

/// Of the stand-in (web/wasm/lib) and of nlohmann-json; "refused" where the text is no JSON.
std::string trees_of_stand_in(std::string_view text);
std::string trees_of_original(std::string_view text);

/// `each_member(object, f)` calls f(key, value) for every member, in order.
template <class Json, class EachMember>
std::string tree_of(const Json& json, EachMember each_member) {
  if (json.is_discarded()) return "refused";
  if (json.is_null()) return "null";
  if (json.is_boolean()) return json.template get<bool>() ? "true" : "false";
  if (json.is_string()) return "'" + json.template get<std::string>() + "'";
  if (json.is_number()) {
    char number[64];
    std::snprintf(number, sizeof(number), "%s%a", json.is_number_unsigned() ? "u" : "",
                  json.template get<double>());
    return number;
  }
  std::string out;
  if (json.is_array()) {
    for (const Json& item : json) out += tree_of(item, each_member) + ",";
    return "[" + out + "]";
  }
  each_member(json, [&](const std::string& key, const Json& value) {
    out += "'" + key + "':" + tree_of(value, each_member) + ",";
  });
  return "{" + out + "}";
}

/// The tree of a text, and that of what is written of it.
template <class Json, class EachMember>
std::string trees_of(std::string_view text, EachMember each_member) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return "refused";
  const std::string written = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return tree_of(json, each_member) + " then " +
         tree_of(Json::parse(written, nullptr, false), each_member);
}

}  // namespace handloom::test
