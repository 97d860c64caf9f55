// JsonText: a JSON object as text, member by member. For what is only ever written: a tree of
// values would first be built and then be printed, by much more code.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace handloom {

class JsonText {
 public:
  JsonText& put(std::string_view key, std::string_view text);
  JsonText& put(std::string_view key, const char* text) { return put(key, std::string_view(text)); }
  JsonText& put(std::string_view key, double number);
  JsonText& put(std::string_view key, uint64_t number);
  JsonText& put(std::string_view key, uint32_t number) { return put(key, uint64_t{number}); }
  JsonText& put(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
  JsonText& put(std::string_view key, std::span<const uint32_t> numbers);
  JsonText& put(std::string_view key, const JsonText& object) { return raw(key, object.text()); }
  JsonText& put(std::string_view key, std::span<const JsonText> objects);

  /// "{...}"
  std::string text() const { return members_.empty() ? "{}" : "{" + members_ + "}"; }

 private:
  JsonText& raw(std::string_view key, std::string_view json);

  std::string members_;
};

/// With quotes. Bytes that are no UTF-8 stay: a reader shows them as U+FFFD.
std::string json_string(std::string_view text);

}  // namespace handloom
