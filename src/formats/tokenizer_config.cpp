#include "formats/tokenizer_config.h"

#include "base/file.h"
#include "base/json.h"
#include "formats/names.h"

namespace handloom::formats {
namespace {

constexpr size_t kMaxConfigBytes = size_t{64} << 20;  // some list 100,000 added tokens
constexpr size_t kMaxTemplateBytes = size_t{4} << 20;
constexpr std::string_view kDefaultTemplate = "default";

/// A list of {name, template}, as models with several templates have it.
Result<void> parse_template_list(const Json& list, const std::string& where,
                                 TokenizerConfig& config) {
  std::map<std::string, std::string> templates;
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string item = fmt::format("{}: chat_template[{}]", where, i);
    TRY(const JsonObject& object, JsonObject::from(list[i], item));
    TRY(std::string name, object.get_string("name"));
    TRY(std::string text, object.get_string("template"));
    if (templates.contains(name)) {
      return fail(ErrorCode::bad_format, "{}: name '{}' is taken by an earlier template", item,
                  printable(name));
    }
    templates[std::move(name)] = std::move(text);
  }
  if (auto node = templates.extract(std::string(kDefaultTemplate))) {
    config.chat_template = std::move(node.mapped());
  }
  config.other_templates = std::move(templates);
  return {};
}

Result<void> parse_templates(const JsonObject& object, TokenizerConfig& config) {
  const Json* value = object.find("chat_template");
  if (value == nullptr) return {};
  if (value->is_array()) return parse_template_list(*value, object.where(), config);
  if (!value->is_string()) {
    return fail(ErrorCode::bad_format,
                "{}: 'chat_template' is {}, expected a string or a list of named templates",
                object.where(), describe(*value));
  }
  config.chat_template = value->get<std::string>();
  return {};
}

/// "text" or {"content": "text", ...}.
Result<std::optional<std::string>> parse_token(const JsonObject& object, std::string_view key) {
  const Json* value = object.find(key);
  if (value == nullptr || !value->is_object()) return object.find_string(key);
  TRY(const JsonObject& token, object.get_object(key));
  TRY(std::string content, token.get_string("content"));
  return std::optional(std::move(content));
}

}  // namespace

Result<TokenizerConfig> parse_tokenizer_config(std::string_view json, std::string where) {
  TRY(const Json& root, parse_json(json, where));
  TRY(const JsonObject& object, JsonObject::from(root, std::move(where)));
  TokenizerConfig config;
  CHECK_OK(parse_templates(object, config));
  TRY(config.bos_token, parse_token(object, "bos_token"));
  TRY(config.eos_token, parse_token(object, "eos_token"));
  TRY(config.unk_token, parse_token(object, "unk_token"));
  TRY(config.pad_token, parse_token(object, "pad_token"));
  return config;
}

Result<TokenizerConfig> load_tokenizer_config(const std::string& folder) {
  TokenizerConfig config;
  const std::string path = folder + "/tokenizer_config.json";
  if (file_exists(path)) {
    TRY(const std::string& text, read_text_file(path, kMaxConfigBytes));
    TRY(config, parse_tokenizer_config(text, path));
  }
  const std::string template_path = folder + "/chat_template.jinja";
  if (file_exists(template_path)) {
    TRY(config.chat_template, read_text_file(template_path, kMaxTemplateBytes));
    if (!is_utf8(config.chat_template)) {
      return fail(ErrorCode::bad_format, "{}: is not UTF-8 text", template_path);
    }
  }
  return config;
}

}  // namespace handloom::formats
