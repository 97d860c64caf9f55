#include "bench_json.h"

#include "bench_text.h"
#include "devices_text.h"
#include "tune_text.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <set>

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

Json figures_json(const std::vector<BenchFigure>& figures) {
  Json all = Json::array();
  for (const BenchFigure& figure : figures) {
    all.push_back({{"name", figure.name},
                   {"tokens", figure.tokens},
                   {"unit", figure.unit},
                   {"median", figure.samples.median()},
                   {"least", figure.samples.least()},
                   {"most", figure.samples.most()},
                   {"bytes_per_second", figure.bytes_per_second}});
  }
  return all;
}

Json check_json(const BenchCheck& check) {
  Json json = {{"passed", check.failure.empty()}, {"failure", check.failure},
               {"n_tokens", check.n_tokens},      {"n_chosen", check.n_chosen},
               {"n_equal_plain", nullptr},        {"largest_difference", check.largest_difference},
               {"tolerance", check.tolerance},    {"ids", check.ids}};
  if (check.n_equal) json["n_equal_plain"] = *check.n_equal;
  return json;
}

Json profile_json(const BenchProfile& profile) {
  Json kernels = Json::array();
  for (const KernelShare& share : group_by_kernel(profile.step)) {
    kernels.push_back({{"kernel", share.kernel},
                       {"count", share.count},
                       {"us", share.us},
                       {"bytes", share.bytes}});
  }
  return {{"title", profile.title}, {"span_us", profile.step.span_us}, {"kernels", kernels}};
}

Json kernels_json(const BenchReport& report) {
  Json json = Json::object();
  for (const handloom::KernelHash& kernel : report.kernels) json[kernel.kernel] = kernel.md5;
  return json;
}

}  // namespace

std::string model_name(const handloom::ModelInfo& model) {
  const std::filesystem::path path(model.folder);
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

Json bench_json(const BenchReport& report) {
  const handloom::AdapterInfo& adapter = report.adapter;
  const handloom::ModelInfo& model = report.model;
  Json json = {{"handloom", handloom::version()},
               {"commit", report.commit},
               {"date", report.date},
               {"system", report.system},
               {"adapter",
                {{"name", adapter.name},
                 {"kind", kind_name(adapter.kind)},
                 {"driver", adapter.driver},
                 {"backend", adapter.backend},
                 {"toggles", adapter.toggles}}},
               {"model",
                {{"name", model_name(model)},
                 {"architecture", model.architecture},
                 {"weights", report.weights},
                 {"kv", model.kv_dtype},
                 {"plan", model.plan},
                 {"matvec", model.matvec},
                 {"products", forms_json(model.products)},
                 {"n_parameters", model.n_parameters},
                 {"context", model.context},
                 {"weight_bytes_per_token", model.weight_bytes_per_token},
                 {"kv_bytes_per_token", model.kv_bytes_per_token}}},
               {"options",
                {{"plan", report.plan},
                 {"matvec", report.matvec},
                 {"subgroups", report.subgroups},
                 {"tune", report.tuned ? "auto" : "off"},
                 {"sampling", report.sampling},
                 {"steps_in_flight", report.steps_in_flight},
                 {"repeats", report.repeats}}},
               {"read_bytes_per_second", report.read_bandwidth},
               {"check", check_json(report.check)},
               {"figures", figures_json(report.figures)},
               {"steps", nullptr},
               {"profiles", Json::array()},
               {"ablation", Json::array()},
               {"kernels", kernels_json(report)}};
  if (report.trace) {
    json["steps"] = {{"n_steps", report.trace->n_steps},
                     {"step_us", report.trace->step_us},
                     {"idle", report.trace->idle}};
  }
  for (const BenchProfile& profile : report.profiles) {
    json["profiles"].push_back(profile_json(profile));
  }
  for (const BenchVariant& variant : report.ablation) {
    json["ablation"].push_back({{"variant", variant.name},
                                {"refusal", variant.refusal},
                                {"figures", figures_json(variant.figures)}});
  }
  return json;
}

}  // namespace cli
