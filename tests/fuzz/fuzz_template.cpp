// libs:
// sources: apps/cli/chat_template.cpp apps/cli/template_limits.cpp
// sources: apps/cli/apart.cpp apps/cli/failure.cpp
// flags: -Iapps/cli -isystem .deps/minja/root/usr/include -DHANDLOOM_FUZZING
//
// Arbitrary bytes as a chat template: whatever passes the limits must be parsed or refused here, in
// one line, and rendering, in its child process, must answer or fail the same way.
#include "support.h"

#include "chat_template.h"
#include "failure.h"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using fuzz::require;

void check_words(std::string_view words) {
  require(words.starts_with("chat template: "));
  for (const char c : words) require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  handloom::ChatTemplate chat_template;
  chat_template.text.assign(reinterpret_cast<const char*>(data), size);
  chat_template.bos_token = "<s>";
  try {
    cli::check_chat_template(chat_template);
  } catch (const cli::Failure& failure) {
    check_words(failure.what());
    return 0;
  }
  // A child a parse would be slow; most templates that parse need no second look.
  static unsigned n_parsed = 0;
  if (++n_parsed % 16 != 0) return 0;
  try {
    cli::render_chat(chat_template, cli::user_message("hi"), true);
  } catch (const cli::Failure& failure) {
    check_words(failure.what());
  }
  return 0;
}
