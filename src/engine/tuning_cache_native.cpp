#include "engine/tuning_cache.h"

#include "base/file.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/md5.h"
#include "kernels/kernels.h"

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>
#include <unistd.h>

namespace handloom::engine {
namespace {

constexpr uint32_t kVersion = 1;  // of the file, and of how forms are measured
constexpr size_t kMostBytes = size_t{1} << 20;

std::string md5_of(std::string_view text) { return md5_hex(std::as_bytes(std::span(text))); }

/// Of all texts that the products are compiled from: with others, other forms may be fastest.
const std::string& kernels_hash() {
  static const std::string hash = [] {
    std::set<std::string_view> texts;
    for (const gpu::Kernel* kernel : kernels::all()) {
      if (!kernel->entry_point.starts_with("project")) continue;
      texts.insert(kernel->source);
      for (const gpu::KernelFile* helper : kernel->helpers) texts.insert(helper->text);
    }
    std::string all;
    for (const std::string_view text : texts) all += text;
    return md5_of(all);
  }();
  return hash;
}

/// "NVIDIA H200" as part of a file's name: "nvidia-h200".
std::string name_for_file(std::string_view name) {
  std::string words;
  for (const char c : name) {
    const bool is_digit = c >= '0' && c <= '9', is_upper = c >= 'A' && c <= 'Z';
    if (is_digit || is_upper || (c >= 'a' && c <= 'z')) {
      words += is_upper ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (!words.empty() && words.back() != '-') {
      words += '-';
    }
  }
  return words.substr(0, 40);
}

/// The variable as an absolute path; others mean nothing to the XDG specification.
std::optional<std::string> absolute(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr || *value != '/') return std::nullopt;
  return value;
}

JsonText to_json(DType weight, const ops::ProjectForm& form) {
  return JsonText()
      .put("weight", to_string(weight))
      .put("act", to_string(form.act))
      .put("subgroups", form.subgroups)
      .put("workgroup_size", form.workgroup_size)
      .put("n_outputs", form.n_outputs)
      .put("wide_below", form.wide_below)
      .put("rows_at_once", form.rows_at_once)
      .put("knows_shape", form.knows_shape);
}

Result<DType> weight_of(const JsonObject& entry) {
  TRY(const std::string name, entry.get_string("weight"));
  for (const DType weight : kDTypes) {
    if (to_string(weight) == name) return weight;
  }
  return fail(ErrorCode::bad_format, "{}: 'weight' is '{}', expected a type of weights",
              entry.where(), name);
}

Result<ops::Act> act_of(const JsonObject& entry) {
  TRY(const std::string name, entry.get_string("act"));
  for (const ops::Act act : ops::kActs) {
    if (to_string(act) == name) return act;
  }
  return fail(ErrorCode::bad_format, "{}: 'act' is '{}', expected f32, f16 or int8", entry.where(),
              name);
}

Result<void> read_form(const JsonObject& entry, const AdapterInfo& adapter, MeasuredForms& forms) {
  TRY(const DType weight, weight_of(entry));
  ops::ProjectForm form;
  TRY(form.act, act_of(entry));
  TRY(form.subgroups, entry.get_bool("subgroups"));
  TRY(form.workgroup_size, entry.get_u32("workgroup_size"));
  TRY(form.n_outputs, entry.get_u32("n_outputs"));
  TRY(form.wide_below, entry.get_u32("wide_below"));
  TRY(form.rows_at_once, entry.get_u32("rows_at_once"));
  TRY(form.knows_shape, entry.get_bool("knows_shape"));
  if (!ops::is_possible(form, adapter, adapter.features, weight)) {
    return fail(ErrorCode::bad_format, "{}: the form of {} is one that '{}' cannot run",
                entry.where(), to_string(weight), adapter.name);
  }
  forms[weight] = form;
  return {};
}

}  // namespace

Result<TuningCache> TuningCache::of(const AdapterInfo& adapter) {
  std::optional<std::string> folder = absolute("XDG_CACHE_HOME");
  if (!folder) {
    if (const auto home = absolute("HOME")) folder = *home + "/.cache";
  }
  if (!folder) {
    return fail(ErrorCode::not_found,
                "tuning: neither XDG_CACHE_HOME nor HOME is an absolute path, expected one of them "
                "for what was measured");
  }
  const std::string identity =
      fmt::format("{}\n{}\n{}", adapter.name, adapter.driver, adapter.backend);
  return TuningCache(fmt::format("{}/handloom/tuning/{}-{}.json", *folder,
                                 name_for_file(adapter.name), md5_of(identity).substr(0, 8)),
                     adapter);
}

Result<MeasuredForms> TuningCache::read() const {
  if (!file_exists(path_)) return MeasuredForms();
  TRY(const std::string text, read_text_file(path_, kMostBytes));
  TRY(const Json json, parse_json(text, path_));
  TRY(const JsonObject file, JsonObject::from(json, path_));
  TRY(const uint32_t version, file.get_u32("version"));
  TRY(const std::string kernels, file.get_string("kernels"));
  if (version != kVersion || kernels != kernels_hash()) return MeasuredForms();
  // Eight digits of a hash name the file.
  for (const auto& [key, ours] : {std::pair("adapter", &adapter_.name),
                                  {"driver", &adapter_.driver},
                                  {"backend", &adapter_.backend}}) {
    TRY(const std::string theirs, file.get_string(key));
    if (theirs != *ours) return MeasuredForms();
  }
  const Json* list = file.find("forms");
  if (list == nullptr || !list->is_array()) {
    return fail(ErrorCode::bad_format, "{}: 'forms' is {}, expected a list", path_,
                list == nullptr ? "not there" : describe(*list));
  }
  MeasuredForms forms;
  for (const Json& entry : *list) {
    TRY(const JsonObject object, JsonObject::from(entry, path_));
    CHECK_OK(read_form(object, adapter_, forms));
  }
  return forms;
}

Result<void> TuningCache::write(const MeasuredForms& forms) const {
  std::vector<JsonText> list;
  for (const auto& [weight, form] : forms) list.push_back(to_json(weight, form));
  const std::string text = JsonText()
                               .put("version", kVersion)
                               .put("adapter", adapter_.name)
                               .put("driver", adapter_.driver)
                               .put("backend", adapter_.backend)
                               .put("kernels", kernels_hash())
                               .put("forms", std::span<const JsonText>(list))
                               .text() +
                           "\n";
  CHECK_OK(make_folder(std::filesystem::path(path_).parent_path().string()));
  // Under a name of its own first: two programs may have measured at the same time.
  const std::string own = fmt::format("{}.{}", path_, ::getpid());
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
  CHECK_OK(write_file(own, std::span(&bytes, 1)));
  std::error_code error;
  std::filesystem::rename(own, path_, error);
  if (!error) return {};
  ::unlink(own.c_str());
  return fail(ErrorCode::io, "{}: cannot write: {}", path_, error.message());
}

}  // namespace handloom::engine
