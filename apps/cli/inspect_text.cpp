#include "inspect_text.h"

#include "print.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace cli {
namespace {

using handloom::Inspection;
using handloom::TypeShare;
using Json = nlohmann::ordered_json;

constexpr size_t kLineWidth = 80;
constexpr size_t kTemplateStart = 60;  // bytes of the template that are shown

/// "6.82 M"
std::string count_in_units(uint64_t n) {
  double value = static_cast<double>(n);
  const char* unit = "";
  for (const char* next : {" K", " M", " G", " T"}) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return *unit == '\0' ? fmt::format("{}", n) : three_digits(value) + unit;
}

double bits_per_weight(uint64_t bytes, uint64_t n_weights) {
  return n_weights == 0 ? 0 : 8.0 * static_cast<double>(bytes) / static_cast<double>(n_weights);
}

std::string type_rows(const std::vector<TypeShare>& types) {
  std::string text;
  for (const TypeShare& t : types) {
    const bool known = t.n_weights > 0;
    text += fmt::format(
        "  {:<11}{:>5} tensors  {:>8} weights  {:>8}  {}\n", t.dtype, t.n_tensors,
        known ? count_in_units(t.n_weights) : "?", known ? bytes_text(t.bytes) : "?",
        known ? fmt::format("{:.2f} bits per weight", bits_per_weight(t.bytes, t.n_weights))
              : "not read");
  }
  return text;
}

std::string settings_text(const Inspection& found) {
  if (found.settings.empty()) return "";
  std::vector<std::string> parts;
  for (const auto& [name, value] : found.settings) parts.push_back(name + " " + value);
  std::string text = "\nsettings\n";
  for (const std::string& line : wrap(parts, kLineWidth - 2)) text += "  " + line + "\n";
  return text;
}

std::string tensors_text(const Inspection& found) {
  size_t name_width = 0, shape_width = 0;
  std::vector<std::string> shapes;
  for (const handloom::InspectedTensor& t : found.tensors) {
    shapes.push_back(fmt::format("[{}]", fmt::join(t.shape, ", ")));
    name_width = std::max(name_width, text_width(t.name));
    shape_width = std::max(shape_width, shapes.back().size());
  }
  std::string text = "\ntensors\n";
  for (size_t i = 0; i < found.tensors.size(); ++i) {
    const handloom::InspectedTensor& t = found.tensors[i];
    text += fmt::format("  {}  {}  {:<10}  {}\n", pad_right(t.name, name_width),
                        pad_right(shapes[i], shape_width), t.dtype,
                        t.bytes > 0 ? bytes_text(t.bytes) : "?");
  }
  return found.tensors.empty() ? "" : text;
}

/// As much of it as fits a line, cut between characters.
std::string template_start(const std::string& text) {
  size_t end = std::min(kTemplateStart, text.size());
  while (end > 0 && end < text.size() && (text[end] & 0xc0) == 0x80) --end;
  return in_quotes(text.substr(0, end)) + (end < text.size() ? "..." : "");
}

std::string tokenizer_text(const Inspection& found) {
  std::string text = "\ntokenizer: ";
  if (found.tokenizer.empty()) {
    text += "none\n";
  } else {
    text += fmt::format("{}, {}\n", found.tokenizer, count_text(found.n_pieces, "piece"));
  }
  for (const handloom::SpecialToken& t : found.specials) {
    text += fmt::format("  {}  {:>7}  {}\n", t.role, t.id, in_quotes(t.text));
  }
  const std::string& jinja = found.chat_template;
  return text + (jinja.empty() ? "chat template: none\n"
                               : fmt::format("chat template: {} bytes, begins {}\n", jinja.size(),
                                             template_start(jinja)));
}

std::string flow_text(const Inspection& found) {
  std::string text = "\nforward\n";
  for (const handloom::FlowStep& step : found.flow) {
    const std::string indent(2 + 2 * step.depth, ' ');
    text += indent + pad_right(step.op, 17 - indent.size()) + " " + step.text + "\n";
  }
  return found.flow.empty() ? "" : text;
}

std::string memory_text(const Inspection& found) {
  if (found.context == 0) return "";
  return fmt::format(
      "\nmemory for {} of context\n  weights  {} (as in the files)\n  KV cache "
      "{} in f32, {} in f16, {} in int8\n",
      count_text(found.context, "token"), bytes_text(found.weight_bytes),
      bytes_text(found.kv_f32_bytes), bytes_text(found.kv_f16_bytes),
      bytes_text(found.kv_int8_bytes));
}

std::string problems_text(const Inspection& found) {
  if (found.problems.empty() && found.settings.empty()) return "";  // of a lone file nobody knows
  if (found.problems.empty()) return "\nhandloom runs it\n";
  std::string text = "\nhandloom refuses it\n";
  for (const std::string& problem : found.problems) text += "  " + problem + "\n";
  return text;
}

Json types_json(const std::vector<TypeShare>& types) {
  Json list = Json::array();
  for (const TypeShare& t : types) {
    list.push_back({{"dtype", t.dtype},
                    {"tensors", t.n_tensors},
                    {"weights", t.n_weights},
                    {"bytes", t.bytes},
                    {"bits_per_weight", bits_per_weight(t.bytes, t.n_weights)}});
  }
  return list;
}

Json tokenizer_json(const Inspection& found) {
  if (found.tokenizer.empty()) return nullptr;
  Json specials = Json::array();
  for (const handloom::SpecialToken& t : found.specials) {
    specials.push_back({{"role", t.role}, {"id", t.id}, {"text", t.text}});
  }
  return {{"kind", found.tokenizer}, {"pieces", found.n_pieces}, {"specials", specials}};
}

}  // namespace

std::string inspection_text(const Inspection& found) {
  std::string text =
      fmt::format("{}: {}, {}, {} parameters\n", found.path, found.kind,
                  found.architecture.empty() ? "unknown architecture" : found.architecture,
                  count_in_units(found.n_parameters));
  text += settings_text(found);
  text += fmt::format("\nweights: {} in {}\n", bytes_text(found.weight_bytes),
                      count_text(found.tensors.size(), "tensor"));
  text += type_rows(found.types);
  text += tensors_text(found);
  text += tokenizer_text(found);
  text += flow_text(found);
  text += memory_text(found);
  return text + problems_text(found);
}

Json inspection_json(const Inspection& found) {
  Json settings = Json::object(), tensors = Json::array(), flow = Json::array();
  for (const auto& [name, value] : found.settings) settings[name] = value;
  for (const handloom::InspectedTensor& t : found.tensors) {
    tensors.push_back(
        {{"name", t.name}, {"shape", t.shape}, {"dtype", t.dtype}, {"bytes", t.bytes}});
  }
  for (const handloom::FlowStep& s : found.flow) {
    flow.push_back({{"depth", s.depth}, {"op", s.op}, {"text", s.text}});
  }
  return {
      {"path", found.path},
      {"kind", found.kind},
      {"architecture", found.architecture},
      {"parameters", found.n_parameters},
      {"settings", settings},
      {"types", types_json(found.types)},
      {"tensors", tensors},
      {"tokenizer", tokenizer_json(found)},
      {"chat_template", found.chat_template.empty() ? Json(nullptr) : Json(found.chat_template)},
      {"forward", flow},
      {"memory",
       {{"context", found.context},
        {"weights", found.weight_bytes},
        {"kv_f32", found.kv_f32_bytes},
        {"kv_f16", found.kv_f16_bytes},
        {"kv_int8", found.kv_int8_bytes}}},
      {"problems", found.problems}};
}

std::string quantise_text(const std::string& out, const std::string& type,
                          const handloom::QuantiseReport& report) {
  return fmt::format("{}: {}, {}, {:.2f} bits per weight\n{}", out, type, bytes_text(report.bytes),
                     bits_per_weight(report.bytes, report.n_weights), type_rows(report.types));
}

}  // namespace cli
