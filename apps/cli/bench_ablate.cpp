#include "bench_ablate.h"

#include "failure.h"
#include "model.h"

#include <algorithm>

namespace cli {
namespace {

using handloom::BenchOptions;
using handloom::PlanKind;

/// One engine to load, or the reason why not.
struct Reloaded {
  std::string name;
  ModelOptions model;
  std::string refusal;
};

std::vector<Reloaded> reloads(const ModelOptions& base, const BenchReport& report) {
  std::vector<Reloaded> all;
  const auto add = [&](std::string name, std::string refusal, auto change) {
    all.push_back({std::move(name), base, std::move(refusal)});
    change(all.back().model);
  };
  if (report.model.plan != "plain") {
    add("plan plain", "", [](ModelOptions& m) { m.plan = PlanKind::plain; });
  }
  if (std::ranges::any_of(report.model.products, &handloom::ProductForm::is_measured)) {
    add("tune off", "", [](ModelOptions& m) { m.tune = handloom::Tune::off; });
  }
  for (const char* matvec : {"f32", "f16", "int8"}) {
    if (report.model.matvec == matvec) continue;
    const bool lacks_f16 = matvec == std::string_view("f16") && !report.adapter.features.f16;
    add(std::string("matvec ") + matvec, lacks_f16 ? "the adapter has no f16" : "",
        [&](ModelOptions& m) { m.matvec = matvec; });
  }
  if (base.subgroups.value_or(true)) {
    add("no subgroups", report.adapter.features.subgroups ? "" : "the adapter has none anyway",
        [](ModelOptions& m) { m.subgroups = false; });
  }
  return all;
}

/// On one engine: as asked for, then with the host in the loop in two ways.
std::vector<BenchVariant> measure_base(const BenchCommand& base, const BenchWork& work) {
  const BenchOptions as_asked = bench_options(base);
  BenchOptions on_host = as_asked, one_step = as_asked;
  on_host.sample_on_host = true;
  one_step.steps_in_flight = 1;
  handloom::Engine engine = load_engine(base.model);
  const auto figures = measure(engine, work, std::vector{as_asked, on_host, one_step});
  return {{.name = "as asked for", .figures = figures[0]},
          {.name = "sampling on the host", .figures = figures[1]},
          {.name = "1 step in flight", .figures = figures[2]}};
}

}  // namespace

std::vector<BenchVariant> ablate(const BenchCommand& base, const BenchWork& work,
                                 const BenchReport& report) {
  std::vector<BenchVariant> variants = measure_base(base, work);
  for (Reloaded& reload : reloads(base.model, report)) {
    BenchVariant variant = {.name = std::move(reload.name), .refusal = std::move(reload.refusal)};
    if (variant.refusal.empty()) {
      auto engine = try_load_engine(reload.model);
      if (engine) {
        variant.figures = measure(*engine, work, std::vector{bench_options(base)}).front();
      } else {
        variant.refusal = engine.error().message;
      }
    }
    variants.push_back(std::move(variant));
  }
  return variants;
}

}  // namespace cli
