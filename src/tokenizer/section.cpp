#include "tokenizer/section.h"

namespace handloom::tokenizer {
namespace {

constexpr int kMaxDepth = 8;
constexpr size_t kMaxSteps = 64;

Result<void> append_steps(const Json& value, const std::string& where, std::string_view list,
                          int depth, std::vector<Step>& steps) {
  TRY(JsonObject object, JsonObject::from(value, where));
  TRY(std::string type, object.get_string("type"));
  if (type != "Sequence") {
    if (steps.size() == kMaxSteps) {
      return fail(ErrorCode::bad_format, "{}: has more than {} steps", where, kMaxSteps);
    }
    steps.push_back({std::move(type), std::move(object)});
    return {};
  }
  if (depth == kMaxDepth) {
    return fail(ErrorCode::bad_format, "{}: nests Sequences deeper than {}", where, kMaxDepth);
  }
  const Json* members = object.find(list);
  if (members == nullptr || !members->is_array()) {
    return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected an array", where, list,
                members ? describe(*members) : "missing");
  }
  for (size_t i = 0; i < members->size(); ++i) {
    CHECK_OK(append_steps((*members)[i], fmt::format("{}[{}]", where, i), list, depth + 1, steps));
  }
  return {};
}

}  // namespace

Result<std::vector<Step>> read_steps(const JsonObject& root, std::string_view name,
                                     std::string_view list) {
  std::vector<Step> steps;
  const Json* section = root.find(name);
  if (section == nullptr) return steps;
  CHECK_OK(append_steps(*section, fmt::format("{}: {}", root.where(), name), list, 0, steps));
  return steps;
}

std::unexpected<Error> unsupported_type(const Step& step, std::string_view supported) {
  return fail(ErrorCode::unsupported, "{}: type '{}' is not supported (supported: {})",
              step.fields.where(), step.type, supported);
}

Result<std::string> get_character(const JsonObject& object, std::string_view key) {
  TRY(std::string text, object.get_string(key));
  if (count_characters(text) == 1) return text;
  return fail(ErrorCode::bad_format, "{}: '{}' is '{}', expected one character", object.where(),
              key, text);
}

}  // namespace handloom::tokenizer
