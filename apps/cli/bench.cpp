// handloom bench: how fast a model is here, whether it computes the right thing at that speed, and
// where the time goes.
#include "bench_ablate.h"
#include "bench_check.h"
#include "bench_compare.h"
#include "bench_json.h"
#include "bench_measure.h"
#include "bench_text.h"
#include "build_commit.h"
#include "commands.h"
#include "failure.h"
#include "figures.h"
#include "model.h"
#include "output_file.h"
#include "terminal.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>

namespace cli {
namespace {

using handloom::PlanKind;

std::string plan_name(PlanKind plan) {
  switch (plan) {
    case PlanKind::plain: return "plain";
    case PlanKind::fused: return "fused";
    case PlanKind::automatic: return "automatic";
  }
  return "automatic";
}

std::string today() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%d}", fmt::gmtime(now));
}

/// The texts of the kernels in these lists.
std::vector<handloom::KernelHash> hashes_of(std::span<const handloom::Plan> plans) {
  std::set<std::string> used;
  for (const handloom::Plan& plan : plans) {
    for (const handloom::PlanEntry& entry : plan.entries) used.insert(entry.kernel);
  }
  std::vector<handloom::KernelHash> hashes = handloom::kernel_hashes();
  std::erase_if(hashes, [&](const auto& hash) { return !used.contains(hash.kernel); });
  return hashes;
}

/// The type that most weights have on the GPU: as in the file, but for floats, which --precision
/// may round.
std::string main_weights(const handloom::ModelInfo& model) {
  const handloom::Inspection files = take(handloom::inspect_model(model.folder));
  const auto largest = std::ranges::max_element(files.types, {}, &handloom::TypeShare::n_weights);
  if (largest == files.types.end()) return model.weight_dtype;
  const std::string& type = largest->dtype;
  const bool is_float = type == "f32" || type == "f16" || type == "bf16";
  return is_float && model.precision == handloom::Precision::f16 ? "f16" : type;
}

/// What is known before anything is measured.
BenchReport describe(handloom::Engine& engine, const BenchCommand& command, const BenchWork& work) {
  const uint32_t context = work.points.front().context;
  const std::vector<handloom::Plan> plans = {take(engine.plan_prefill(std::min(context, 64u))),
                                             take(engine.plan_decode(context))};
  return {.date = today(),
          .commit = std::string(build_commit()),
          .system = system_name(),
          .adapter = engine.adapter(),
          .model = engine.model(),
          .weights = main_weights(engine.model()),
          .plan = plan_name(command.model.plan),
          .matvec = command.model.matvec.empty() ? "automatic" : command.model.matvec,
          .sampling = command.sample_on_host ? "host" : "GPU",
          .subgroups = command.model.subgroups.value_or(true),
          .tuned = command.model.tune == handloom::Tune::automatic,
          .steps_in_flight = command.steps_in_flight,
          .repeats = command.repeats,
          .kernels = hashes_of(plans),
          .read_bandwidth = take(engine.measure_read_bandwidth())};
}

/// What plan plain says, from an engine of its own that is gone afterwards: two need not fit.
std::optional<PlainReference> reference_for(const BenchCommand& command) {
  if (command.model.plan == PlanKind::plain) return std::nullopt;
  ModelOptions plain = command.model;
  plain.plan = PlanKind::plain;
  handloom::Engine engine = load_engine(plain);
  fit_work(command, engine.model().context);  // complains before it takes any time
  return plain_reference(engine);
}

std::vector<BenchProfile> take_profiles(handloom::Engine& engine, const BenchWork& work) {
  handloom::Bench bench = take(handloom::Bench::create(engine));
  std::vector<BenchProfile> profiles;
  for (const DecodePoint& point : work.points) {
    profiles.push_back({.title = fmt::format("decode step after {} tokens", point.context),
                        .step = take(bench.profile_decode(point.context))});
    stop_if_interrupted();
  }
  profiles.push_back({.title = fmt::format("prefill of {} tokens", work.n_prompt),
                      .step = take(bench.profile_prefill(work.n_prompt))});
  stop_if_interrupted();
  return profiles;
}

/// All that needs the engine as it was asked for.
BenchReport measure_as_asked(const BenchCommand& command, const PlainReference* plain,
                             BenchWork& work) {
  handloom::Engine engine = load_engine(command.model);
  work = fit_work(command, engine.model().context);
  for (const std::string& note :
       {software_notice(engine.adapter(), !command.model.adapter.empty()), work.note}) {
    if (!note.empty()) write_stderr(note + "\n");
  }
  const handloom::BenchOptions options = bench_options(command);
  BenchReport report = describe(engine, command, work);
  report.check = check(engine, plain, options, logit_tolerance(engine.model()));
  report.figures = measure(engine, work, {&options, 1}).front();
  BenchFigure load = {.name = "load", .unit = "s"};
  load.samples.add(engine.load_ms() * 1e-3);
  report.figures.insert(report.figures.begin(), std::move(load));
  if (!engine.adapter().features.timestamps) {
    write_stderr(
        fmt::format("{} has no timestamps, expected them for {}idle times; the rest goes "
                    "on without\n",
                    engine.adapter().name, command.profile ? "--profile and " : ""));
    return report;
  }
  const DecodePoint& point = work.points.front();
  handloom::Bench bench = take(handloom::Bench::create(engine));
  report.trace = take(bench.trace_decode(point.context, point.n_tokens, options));
  stop_if_interrupted();
  if (command.profile) report.profiles = take_profiles(engine, work);
  return report;
}

}  // namespace

int execute(const BenchCommand& command) {
  // What could refuse the result refuses before the work.
  std::unique_ptr<OutputFile> file;
  if (!command.json.empty() && command.json != "-") {
    file = std::make_unique<OutputFile>(command.json);
  }
  std::vector<EarlierBench> all_earlier;
  if (!command.compare.empty()) all_earlier = read_earlier(command.compare);

  catch_interrupt();
  const std::optional<PlainReference> plain = reference_for(command);
  BenchWork work;
  BenchReport report = measure_as_asked(command, plain ? &*plain : nullptr, work);
  if (command.ablate) report.ablation = ablate(command, work, report);

  const EarlierBench* earlier =
      all_earlier.empty() ? nullptr : &choose_earlier(all_earlier, report);
  const std::string text = bench_text(report, earlier);
  const std::string json = bench_json(report).dump() + "\n";
  if (command.json == "-") {
    write_stderr(text);
    write_stdout(json);
  } else {
    write_stdout(text);
    if (file) file->commit(json);
  }
  return report.check.failure.empty() ? 0 : kExitFailure;
}

}  // namespace cli
