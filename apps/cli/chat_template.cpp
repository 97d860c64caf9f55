// The Jinja engine is minja, which trusts its templates: range(1, 2, 3, 4) writes past an array,
// `1 % 0` and endless recursion end the process; so a template runs in a child process. It is used
// below its own chat_template class: that one rewrites messages for templates that it believes to
// lack something ("polyfills"), and would change the prompt.
#include "chat_template.h"

#include "apart.h"
#include "failure.h"
#include "template_limits.h"

#include <fmt/format.h>
#include <minja/minja.hpp>

#include <algorithm>
#include <ctime>
#include <exception>
#include <memory>

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

// A prompt has at most some MB; a render takes milliseconds.
constexpr ApartLimits kLimits = {
    .seconds = 5, .memory_bytes = size_t{1} << 30, .answer_bytes = size_t{64} << 20};

/// raise_exception() of a template. Not a std::exception: minja adds source lines to those.
struct Raised {
  std::string words;
};

minja::Value raise_exception() {
  return minja::Value::callable(
      [](const std::shared_ptr<minja::Context>&, minja::ArgumentsValue& args) -> minja::Value {
        args.expectArgs("raise_exception", {1, 1}, {0, 0});
        throw Raised{args.args[0].to_str()};
      });
}

/// The current local time by a strftime format, as transformers offers it to templates.
minja::Value strftime_now() {
  return minja::Value::callable([](const std::shared_ptr<minja::Context>&,
                                   minja::ArgumentsValue& args) -> minja::Value {
    args.expectArgs("strftime_now", {1, 1}, {0, 0});
    const auto format = args.args[0].get<std::string>();
    const std::time_t now = std::time(nullptr);
    char text[256];
    const size_t length = std::strftime(text, sizeof text, format.c_str(), std::localtime(&now));
    return minja::Value(std::string(text, length));
  });
}

/// minja ends its messages with " at row 1, column 5:" and quotes of the source on further lines.
std::string first_line(std::string_view message) {
  std::string line(message.substr(0, message.find('\n')));
  while (!line.empty() && (line.back() == ':' || line.back() == ' ')) line.pop_back();
  return one_line(line);
}

std::shared_ptr<minja::TemplateNode> parse(const std::string& source) {
  // The options under which transformers compiles every chat template.
  const minja::Options options = {
      .trim_blocks = true, .lstrip_blocks = true, .keep_trailing_newline = false};
  return minja::Parser::parse(source, options);
}

std::shared_ptr<minja::Context> context_for(const handloom::ChatTemplate& chat_template,
                                            const Json& messages, bool add_generation_prompt) {
  const auto context = minja::Context::make(
      Json({{"messages", messages}, {"add_generation_prompt", add_generation_prompt}}));
  const auto set_token = [&](const char* name, const std::string& token) {
    if (!token.empty()) context->set(name, minja::Value(token));
  };
  set_token("bos_token", chat_template.bos_token);
  set_token("eos_token", chat_template.eos_token);
  set_token("unk_token", chat_template.unk_token);
  set_token("pad_token", chat_template.pad_token);
  context->set("raise_exception", raise_exception());
  context->set("strftime_now", strftime_now());
  return context;
}

/// What `call` answers; what it throws, as a Failure.
template <class Call>
std::string in_one_sentence(Call call) {
  try {
    return call();
  } catch (const Raised& raised) {
    throw Failure(fmt::format("chat template: {}", one_line(raised.words)));
  } catch (const std::exception& error) {
    const std::string words = first_line(error.what());
    // minja passes it on as another type, with a row and a column.
    if (words.starts_with("std::bad_alloc")) {
      throw Failure(fmt::format("chat template: needs more than {} MiB of memory{}",
                                kLimits.memory_bytes >> 20, words.substr(14)));
    }
    throw Failure(fmt::format("chat template: {}", words));
  }
}

void check_message(const Json& message, size_t index, std::string_view where) {
  const auto fail = [&](std::string_view found) {
    throw Failure(
        fmt::format("{}: message {} {}, expected {{\"role\": \"user\", \"content\": "
                    "\"...\"}}",
                    where, index, found));
  };
  if (!message.is_object()) fail(fmt::format("is of type {}", message.type_name()));
  for (const char* key : {"role", "content"}) {
    if (!message.contains(key)) fail(fmt::format("has no '{}'", key));
  }
  if (!message["role"].is_string()) {
    fail(fmt::format("has a 'role' of type {}", message["role"].type_name()));
  }
  const Json& content = message["content"];
  if (!content.is_string() && !content.is_array()) {
    fail(fmt::format("has a 'content' of type {}", content.type_name()));
  }
}

}  // namespace

Json parse_messages(std::string_view text, std::string_view where) {
  Json messages;
  try {
    messages = Json::parse(text);
  } catch (const Json::parse_error& error) {
    throw Failure(
        fmt::format("{}: is not valid JSON at byte {} of {}, expected an array of messages", where,
                    std::min(error.byte, text.size()), text.size()));
  }
  if (!messages.is_array()) {
    throw Failure(fmt::format("{}: is of type {}, expected an array of messages", where,
                              messages.type_name()));
  }
  if (messages.empty()) {
    throw Failure(fmt::format("{}: holds 0 messages, expected at least 1", where));
  }
  for (size_t i = 0; i < messages.size(); ++i) check_message(messages[i], i, where);
  return messages;
}

Json user_message(std::string_view text) {
  return Json::array({{{"role", "user"}, {"content", std::string(text)}}});
}

void check_chat_template(const handloom::ChatTemplate& chat_template) {
  check_template_limits(chat_template.text);
  in_one_sentence([&] {
    parse(chat_template.text);
    return std::string();
  });
}

std::string render_chat(const handloom::ChatTemplate& chat_template, const Json& messages,
                        bool add_generation_prompt) {
  check_template_limits(chat_template.text);
  return run_apart("chat template", kLimits, [&] {
    return in_one_sentence([&] {
      return parse(chat_template.text)
          ->render(context_for(chat_template, messages, add_generation_prompt));
    });
  });
}

}  // namespace cli
