#include "devices_text.h"

#include "print.h"
#include "tune_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <vector>

namespace cli {
namespace {

using handloom::AdapterInfo;

std::string subgroups_text(const handloom::Features& features) {
  if (!features.subgroups) return "no subgroups";
  if (features.min_subgroup_size == features.max_subgroup_size) {
    return fmt::format("subgroups of {}", features.min_subgroup_size);
  }
  return fmt::format("subgroups of {} to {}", features.min_subgroup_size,
                     features.max_subgroup_size);
}

std::string features_text(const handloom::Features& features) {
  const auto has = [](bool present, std::string_view name) {
    return fmt::format("{}{}", present ? "" : "no ", name);
  };
  const std::vector<std::string> parts = {has(features.f16, "f16"), subgroups_text(features),
                                          has(features.timestamps, "timestamps"),
                                          has(features.subgroup_matrix, "subgroup matrix")};
  return join(parts, ", ");
}

std::vector<std::string> limits_lines(const handloom::Limits& limits) {
  std::vector<std::string> parts = {
      "binding " + binary_bytes_text(limits.max_binding_bytes),
      "buffer " + binary_bytes_text(limits.max_buffer_bytes),
      fmt::format("{} storage buffers per kernel", limits.max_bindings),
      fmt::format("{} invocations and {} of memory per workgroup", limits.max_invocations,
                  binary_bytes_text(limits.max_workgroup_bytes)),
      fmt::format("{} workgroups per grid dimension", limits.max_workgroups)};
  if (limits.memory_bytes > 0) {
    parts.insert(parts.begin(), "memory " + binary_bytes_text(limits.memory_bytes));
  }
  return wrap(parts, 68);
}

void append_lines(std::string& text, std::string_view title, std::span<const std::string> lines) {
  for (size_t i = 0; i < lines.size(); ++i) {
    text += fmt::format("  {:<10}{}\n", i == 0 ? title : "", lines[i]);
  }
}

std::vector<std::string> tuning_lines(const AdapterTuning& tuning) {
  if (!tuning.problem.empty()) return {"no: " + tuning.problem};
  if (tuning.forms.empty()) return {"not yet: handloom tune"};
  std::vector<std::string> lines;
  for (const handloom::ProductForm& form : tuning.forms) {
    lines.push_back(form.weight + ": " + form_text(form));
  }
  return lines;
}

std::string adapter_text(const AdapterInfo& adapter, const AdapterTuning& tuning) {
  std::string text = fmt::format("{}  {}\n", adapter.index, adapter.name);
  std::vector<std::string> kind = {std::string(kind_name(adapter.kind)), adapter.backend};
  for (const std::string& part : {adapter.vendor, adapter.architecture, adapter.driver}) {
    if (!part.empty() && std::ranges::find(kind, part) == kind.end()) kind.push_back(part);
  }
  append_lines(text, "kind", wrap(kind, 68));
  append_lines(text, "features", std::vector{features_text(adapter.features)});
  append_lines(text, "limits", limits_lines(adapter.limits));
  append_lines(text, "tuned", tuning_lines(tuning));
  return text;
}

const char* automatic_precision(const AdapterInfo& adapter) {
  return adapter.features.f16 ? "f16" : "f32";
}

}  // namespace

std::string_view kind_name(handloom::AdapterKind kind) {
  switch (kind) {
    case handloom::AdapterKind::discrete: return "discrete";
    case handloom::AdapterKind::integrated: return "integrated";
    case handloom::AdapterKind::software: return "software";
    case handloom::AdapterKind::unknown: return "unknown";
  }
  return "unknown";
}

std::string devices_text(const handloom::AdapterChoice& choice,
                         std::span<const AdapterTuning> tuning) {
  std::string text;
  for (size_t i = 0; i < choice.adapters.size(); ++i) {
    text += adapter_text(choice.adapters[i], tuning[i]) + "\n";
  }
  if (choice.chosen < choice.adapters.size()) {
    const AdapterInfo& chosen = choice.adapters[choice.chosen];
    text += fmt::format(
        "handloom would use {}: {}\n  in {} (--adapter and --precision choose "
        "otherwise)\n",
        chosen.index, chosen.name, automatic_precision(chosen));
  }
  return text;
}

nlohmann::ordered_json devices_json(const handloom::AdapterChoice& choice,
                                    std::span<const AdapterTuning> tuning) {
  nlohmann::ordered_json adapters = nlohmann::ordered_json::array();
  for (size_t i = 0; i < choice.adapters.size(); ++i) {
    const AdapterInfo& adapter = choice.adapters[i];
    const auto& [f16, subgroups, min_size, max_size, timestamps, matrix] = adapter.features;
    const handloom::Limits& limits = adapter.limits;
    adapters.push_back({{"index", adapter.index},
                        {"name", adapter.name},
                        {"vendor", adapter.vendor},
                        {"architecture", adapter.architecture},
                        {"driver", adapter.driver},
                        {"backend", adapter.backend},
                        {"kind", kind_name(adapter.kind)},
                        {"features",
                         {{"f16", f16},
                          {"subgroups", subgroups},
                          {"min_subgroup_size", min_size},
                          {"max_subgroup_size", max_size},
                          {"timestamps", timestamps},
                          {"subgroup_matrix", matrix}}},
                        {"limits",
                         {{"max_binding_bytes", limits.max_binding_bytes},
                          {"max_buffer_bytes", limits.max_buffer_bytes},
                          {"max_bindings", limits.max_bindings},
                          {"max_invocations", limits.max_invocations},
                          {"max_workgroup_bytes", limits.max_workgroup_bytes},
                          {"max_workgroups", limits.max_workgroups},
                          {"memory_bytes", limits.memory_bytes}}},
                        {"tuned", forms_json(tuning[i].forms)}});
  }
  nlohmann::ordered_json json = {
      {"adapters", adapters}, {"chosen", nullptr}, {"precision", nullptr}};
  if (choice.chosen < choice.adapters.size()) {
    json["chosen"] = choice.chosen;
    json["precision"] = automatic_precision(choice.adapters[choice.chosen]);
  }
  return json;
}

}  // namespace cli
