// The JSON of a page (web/wasm/lib), built natively under other names (tests/CMakeLists.txt) beside
// the original, with the two calls that it makes of JavaScript.
#include "base/web_host.h"
#include "tests/support/json_tree.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" double host_parse_number(const char* text, size_t n_bytes) {
  return std::strtod(std::string(text, n_bytes).c_str(), nullptr);
}

// The shortest text that is the value, near enough: no more than a double needs.
extern "C" handloom::web::Block* host_format_number(double value, uint32_t, uint32_t, uint32_t) {
  char text[32];
  const int n = std::snprintf(text, sizeof(text), "%.17g", value);
  auto* block = static_cast<handloom::web::Block*>(std::malloc(sizeof(handloom::web::Block) + n));
  block->n_bytes = static_cast<uint32_t>(n);
  std::memcpy(block->bytes, text, static_cast<size_t>(n));
  return block;
}

namespace handloom::test {

std::string trees_of_stand_in(std::string_view text) {
  return trees_of<nlohmann::json>(text, [](const nlohmann::json& object, auto f) {
    for (const auto& [key, value] : object.items()) f(key, value);
  });
}

}  // namespace handloom::test
