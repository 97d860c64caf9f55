#include "formats/conversation.h"

#include "formats/fields.h"
#include "formats/names.h"

#include <algorithm>

namespace handloom::formats {
namespace {

constexpr std::string_view kFunctionPlaceholder = "{function_string}";

Result<std::vector<std::string>> find_strings(const JsonObject& object, std::string_view key) {
  std::vector<std::string> strings;
  const Json* list = object.find(key);
  if (list == nullptr) return strings;
  const bool all_strings = list->is_array() && std::ranges::all_of(*list, [](const Json& item) {
                             return item.is_string();
                           });
  if (!all_strings) {
    return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected an array of strings",
                object.where(), key, describe(*list));
  }
  for (const Json& item : *list) strings.push_back(item.get<std::string>());
  return strings;
}

Result<std::map<std::string, std::string>> find_string_map(const JsonObject& object,
                                                           std::string_view key) {
  std::map<std::string, std::string> strings;
  const Json* map = object.find(key);
  if (map == nullptr) return strings;
  CHECK_OK(object.get_object(key));
  for (const auto& [name, value] : map->items()) {
    if (!value.is_string()) {
      return fail(ErrorCode::bad_format, "{}: {}: '{}' is {}, expected a string", object.where(),
                  key, printable(name), describe(value));
    }
    strings[name] = value.get<std::string>();
  }
  return strings;
}

Result<void> find_text(const JsonObject& object, std::string_view key, std::string& text) {
  TRY(auto found, object.find_string(key));
  if (found) text = std::move(*found);
  return {};
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

/// A Jinja string literal.
std::string jinja_string(std::string_view text) {
  std::string literal = "'";
  for (const char c : text) {
    switch (c) {
      case '\\': literal += "\\\\"; break;
      case '\'': literal += "\\'"; break;
      case '\n': literal += "\\n"; break;
      case '\r': literal += "\\r"; break;
      case '\t': literal += "\\t"; break;
      default: literal += c;
    }
  }
  return literal + "'";
}

/// A Jinja expression for `text` with `value`, an expression, wherever it says `placeholder`.
std::string filled(std::string text, std::string_view placeholder, std::string_view value) {
  replace_all(text, kFunctionPlaceholder, "");
  std::string expression;
  std::string_view rest = text;
  for (size_t at = rest.find(placeholder); at != std::string_view::npos;
       at = rest.find(placeholder)) {
    expression += fmt::format("{} ~ {} ~ ", jinja_string(rest.substr(0, at)), value);
    rest.remove_prefix(at + placeholder.size());
  }
  return expression + jinja_string(rest);
}

/// What is written for a message `m` of this role.
std::string message_of(const Conversation& c, const std::string& role, const std::string& prefix) {
  const std::string placeholder = "{" + role + "_message}";
  const auto own = c.role_templates.find(role);
  const std::string text = own == c.role_templates.end() ? placeholder : own->second;
  const std::string& sep = role == "assistant" ? c.seps.back() : c.seps.front();
  const std::string begin = jinja_string(prefix + c.role_content_sep);
  // Without a role of its own a first message continues the system text.
  const std::string head =
      c.role_after_system
          ? fmt::format("{{{{ {} }}}}", begin)
          : fmt::format("{{% if not (ns.first and system) %}}{{{{ {} }}}}{{% endif %}}", begin);
  return fmt::format("{}{{{{ {} ~ {} }}}}", head, filled(text, placeholder, "m['content']"),
                     jinja_string(sep));
}

}  // namespace

Result<Conversation> parse_conversation(const JsonObject& object) {
  Conversation c;
  CHECK_OK(find_text(object, "name", c.name));
  CHECK_OK(find_text(object, "system_template", c.system_template));
  CHECK_OK(find_text(object, "system_message", c.system_message));
  CHECK_OK(find_text(object, "role_content_sep", c.role_content_sep));
  CHECK_OK(find_text(object, "role_empty_sep", c.role_empty_sep));
  TRY(c.system_prefix_ids, find_ids(object, "system_prefix_token_ids"));
  TRY(c.stop_ids, find_ids(object, "stop_token_ids"));
  TRY(c.stop_strings, find_strings(object, "stop_str"));
  TRY(c.seps, find_strings(object, "seps"));
  TRY(c.roles, find_string_map(object, "roles"));
  TRY(c.role_templates, find_string_map(object, "role_templates"));
  TRY(const auto role_after_system, object.find_bool("add_role_after_system_message"));
  c.role_after_system = role_after_system.value_or(true);
  if (c.seps.empty() || c.seps.size() > 2) {
    return fail(ErrorCode::bad_format, "{}: 'seps' has {} strings, expected 1 or 2", object.where(),
                c.seps.size());
  }
  for (const std::string role : {"user", "assistant"}) {
    if (c.roles.contains(role)) continue;
    return fail(ErrorCode::bad_format, "{}: 'roles' lacks '{}', expected user and assistant",
                object.where(), role);
  }
  return c;
}

std::string to_jinja(const Conversation& c) {
  std::string jinja = fmt::format(
      "{{% set ns = namespace(message={}, first=true) %}}"
      "{{% for m in messages %}}{{% if m['role'] == 'system' %}}"
      "{{% set ns.message = m['content'] %}}{{% endif %}}{{% endfor %}}"
      "{{% set system = {} %}}",
      jinja_string(c.system_message), filled(c.system_template, "{system_message}", "ns.message"));
  if (c.system_prefix_ids.size() == 1) jinja += "{{ bos_token }}";
  jinja += "{{ system }}{% for m in messages %}{% if m['role'] != 'system' %}";
  std::string_view branch = "if";
  for (const auto& [role, prefix] : c.roles) {
    if (role == "system") continue;
    jinja += fmt::format("{{% {} m['role'] == {} %}}{}", branch, jinja_string(role),
                         message_of(c, role, prefix));
    branch = "elif";
  }
  jinja +=
      "{% else %}{{ raise_exception('unknown role ' ~ m['role']) }}{% endif %}"
      "{% set ns.first = false %}{% endif %}{% endfor %}";
  return jinja + fmt::format("{{% if add_generation_prompt %}}{{{{ {} }}}}{{% endif %}}",
                             jinja_string(c.roles.at("assistant") + c.role_empty_sep));
}

}  // namespace handloom::formats
