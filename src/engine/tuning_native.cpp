#include "engine/tuning.h"

#include "engine/product_forms.h"
#include "engine/tuning_cache.h"
#include "gpu/native.h"

#include <handloom/tuning.h>

#include <algorithm>
#include <chrono>

namespace handloom {
namespace {

using engine::FormTime;
using engine::FormTimes;
using engine::MeasuredForms;
using engine::Notice;
using engine::TuningCache;
using Clock = std::chrono::steady_clock;

/// The types that people have, and that tune_device measures.
constexpr DType kUsualWeights[] = {DType::f16, DType::q4_0, DType::q4_k, DType::q6_k, DType::q8_0};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::string list_of(std::span<const DType> weights) {
  std::string list;
  for (const DType weight : weights) {
    list += fmt::format("{}{}", list.empty() ? "" : ", ", to_string(weight));
  }
  return list;
}

/// What is kept; nothing, and a sentence, where it cannot be read.
MeasuredForms read_or_tell(const TuningCache& cache, const Notice& notice) {
  auto kept = cache.read();
  if (kept) return std::move(*kept);
  notice(fmt::format("tuning: {}; it is measured anew", kept.error().message));
  return {};
}

/// Adds the fastest form of each type.
void choose(std::span<const FormTimes> all, const Notice& notice, MeasuredForms& forms) {
  for (const FormTimes& times : all) {
    if (const FormTime* best = fastest(times)) {
      forms[times.weight] = best->form;
    } else {
      notice(
          fmt::format("tuning: products with {} have no time that makes sense{}; they go by "
                      "fixed rules, as with --tune off",
                      to_string(times.weight),
                      times.forms.empty() || times.forms.front().failure.empty()
                          ? ""
                          : " (" + times.forms.front().failure + ")"));
    }
  }
}

/// Measures products with these and adds what is fastest to what is kept, in the file, too. Answers
/// how many seconds that took.
Result<double> measure_and_keep(const TuningCache& cache, std::span<const DType> weights,
                                const engine::Measure& measure, const Notice& notice,
                                MeasuredForms& kept) {
  CHECK_OK(cache.write(kept));  // what cannot be kept would be measured again every time
  const auto begin = Clock::now();
  TRY(const std::vector<FormTimes> times, measure(weights));
  choose(times, notice, kept);
  CHECK_OK(cache.write(kept));
  return seconds_since(begin);
}

}  // namespace

namespace engine {

Tuned use_measured_forms(const AdapterInfo& adapter, const std::set<DType>& weights,
                         const Measure& measure, const Notice& notice, ops::ProjectForms& forms) {
  const auto by_rule = [&](const Error& error) {
    notice(fmt::format("{}; products go by fixed rules, as with --tune off", error.message));
    return Tuned();
  };
  const Result<TuningCache> cache = TuningCache::of(adapter);
  if (!cache) return by_rule(cache.error());
  MeasuredForms kept = read_or_tell(*cache, notice);

  std::vector<DType> missing;
  for (const DType weight : weights) {
    const bool has_choice = ops::candidate_forms(adapter, adapter.features, weight).size() > 1;
    if (has_choice && !kept.contains(weight)) missing.push_back(weight);
  }
  Tuned tuned;
  if (!missing.empty()) {
    const Result<double> seconds = measure_and_keep(*cache, missing, measure, notice, kept);
    if (!seconds) return by_rule(seconds.error());
    tuned.seconds = *seconds;
    std::erase_if(missing, [&](DType weight) { return !kept.contains(weight); });
    if (!missing.empty()) {
      notice(fmt::format("tuning: measured products with {} on {} in {:.1f} s; kept in {}",
                         list_of(missing), adapter.name, tuned.seconds, cache->path()));
    }
  }

  for (const DType weight : weights) {
    const auto found = kept.find(weight);
    if (found == kept.end()) continue;
    forms.set(weight, found->second);
    tuned.weights.insert(weight);
  }
  return tuned;
}

Tuned use_measured_forms(const LoadOptions& options, const AdapterInfo& adapter,
                         const std::set<DType>& weights, ops::ProjectForms& forms) {
  TimingBudget budget;
  if (options.memory_budget > 0) budget.bytes = std::min(budget.bytes, options.memory_budget);
  const auto measure = [&](std::span<const DType> missing) -> Result<std::vector<FormTimes>> {
    TRY(gpu::Device device, gpu::open_device(options.adapter));
    return measure_forms(device, missing, budget);
  };
  const auto notice = [&](std::string_view sentence) {
    if (options.on_notice) options.on_notice(sentence);
  };
  return use_measured_forms(adapter, weights, measure, notice, forms);
}

}  // namespace engine

Result<TuningReport> tune_device(const std::string& adapter) {
  const auto begin = Clock::now();
  TRY(gpu::Device device, gpu::open_device(adapter));
  TRY(const std::vector<FormTimes> all, engine::measure_forms(device, kUsualWeights));

  TuningReport report = {.adapter = device.adapter()};
  const auto notice = [&](std::string_view text) { report.notices.emplace_back(text); };
  for (const FormTimes& times : all) {
    const FormTime* best = engine::fastest(times);
    for (const FormTime& time : times.forms) {
      const double rate = time.us > 0 ? 1e6 * static_cast<double>(times.bytes) / time.us : 0;
      report.forms.push_back({.form = engine::describe(times.weight, time.form, &time == best),
                              .us = time.us,
                              .bytes_per_second = rate,
                              .is_rule = &time == &times.forms.front(),
                              .is_chosen = &time == best,
                              .failure = time.failure});
    }
  }
  const auto keep = [&]() -> Result<void> {
    TRY(const TuningCache cache, TuningCache::of(report.adapter));
    MeasuredForms kept = read_or_tell(cache, notice);
    choose(all, notice, kept);
    CHECK_OK(cache.write(kept));
    report.file = cache.path();
    return {};
  };
  if (auto kept = keep(); !kept) notice("tuning: nothing is kept: " + kept.error().message);
  report.seconds = seconds_since(begin);
  return report;
}

Result<std::vector<ProductForm>> stored_tuning(const AdapterInfo& adapter) {
  const Result<TuningCache> cache = TuningCache::of(adapter);
  if (!cache) return {};
  TRY(const MeasuredForms kept, cache->read());
  std::vector<ProductForm> forms;
  for (const auto& [weight, form] : kept) forms.push_back(engine::describe(weight, form, true));
  return forms;
}

}  // namespace handloom
