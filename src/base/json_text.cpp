#include "base/json_text.h"

#include <fmt/format.h>

#include <cmath>

namespace handloom {

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

JsonText& JsonText::raw(std::string_view key, std::string_view json) {
  if (!members_.empty()) members_ += ',';
  members_ += json_string(key);
  members_ += ':';
  members_ += json;
  return *this;
}

JsonText& JsonText::put(std::string_view key, std::string_view text) {
  return raw(key, json_string(text));
}

JsonText& JsonText::put(std::string_view key, double number) {
  return raw(key, std::isfinite(number) ? fmt::format("{}", number) : "null");
}

JsonText& JsonText::put(std::string_view key, uint64_t number) {
  return raw(key, fmt::format("{}", number));
}

JsonText& JsonText::put(std::string_view key, std::span<const uint32_t> numbers) {
  std::string list = "[";
  for (const uint32_t number : numbers) {
    if (list.size() > 1) list += ',';
    list += fmt::format("{}", number);
  }
  return raw(key, list + "]");
}

JsonText& JsonText::put(std::string_view key, std::span<const JsonText> objects) {
  std::string list = "[";
  for (const JsonText& object : objects) {
    if (list.size() > 1) list += ',';
    list += object.text();
  }
  return raw(key, list + "]");
}

}  // namespace handloom
