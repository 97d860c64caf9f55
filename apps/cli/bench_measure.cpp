#include "bench_measure.h"

#include "failure.h"
#include "figures.h"
#include "terminal.h"

#include <algorithm>

namespace cli {
namespace {

constexpr uint32_t kWarmUpTokens = 64;
constexpr double kLeastWarmUpMs = 250.0, kMostWarmUpMs = 3000.0;
constexpr double kStillRising = 1.02;

/// From idle clocks the same kernels measure several times slower.
void warm_up(handloom::Bench& bench, const DecodePoint& point,
             const handloom::BenchOptions& options) {
  double fastest = 0.0;
  for (double spent_ms = 0.0; spent_ms < kMostWarmUpMs;) {
    const auto timings =
        take(bench.decode(point.context, std::min(kWarmUpTokens, point.n_tokens), options));
    stop_if_interrupted();
    const double rate = decode_rate(timings);
    const bool is_rising = rate > kStillRising * fastest;
    fastest = std::max(fastest, rate);
    spent_ms += timings.prefill_ms + timings.decode_ms;
    if (spent_ms >= kLeastWarmUpMs && !is_rising) return;
  }
}

std::vector<BenchFigure> empty_figures(const BenchWork& work) {
  std::vector<BenchFigure> figures = {
      {.name = "first token", .tokens = work.n_prompt, .unit = "ms"},
      {.name = "prefill", .tokens = work.n_prompt, .unit = "tok/s"}};
  for (const DecodePoint& point : work.points) {
    figures.push_back({.name = "decode", .tokens = point.context, .unit = "tok/s"});
  }
  // Of decoding at the first of the contexts.
  figures.push_back({.name = "steps in flight", .unit = "steps"});
  figures.push_back({.name = "submit to token", .unit = "ms"});
  return figures;
}

/// Adds one sample to each figure, in the order of empty_figures().
void measure_once(handloom::Bench& bench, const BenchWork& work,
                  const handloom::BenchOptions& options, std::vector<BenchFigure>& figures) {
  const auto prefill = take(bench.prefill(work.n_prompt, options));
  stop_if_interrupted();
  figures[0].samples.add(prefill.prefill_ms);
  figures[1].samples.add(prefill_rate(prefill));
  for (size_t i = 0; i < work.points.size(); ++i) {
    const DecodePoint& point = work.points[i];
    const auto decode = take(bench.decode(point.context, point.n_tokens, options));
    stop_if_interrupted();
    BenchFigure& figure = figures[2 + i];
    figure.samples.add(decode_rate(decode));
    const double bytes_per_token =
        static_cast<double>(decode.decode_bytes) / static_cast<double>(decode.n_generated - 1);
    figure.bytes_per_second = figure.samples.median() * bytes_per_token;
    if (i > 0 || decode.steps_in_flight == 0) continue;
    figures[figures.size() - 2].samples.add(decode.steps_in_flight);
    figures[figures.size() - 1].samples.add(decode.visible_ms);
  }
}

}  // namespace

handloom::BenchOptions bench_options(const BenchCommand& command) {
  return {.steps_in_flight = command.steps_in_flight,
          .sample_on_host = command.sample_on_host,
          .go_on = [] { return !interrupted(); }};
}

void stop_if_interrupted() {
  if (interrupted()) throw Failure("bench: interrupted, nothing is reported", kExitInterrupted);
}

std::vector<std::vector<BenchFigure>> measure(handloom::Engine& engine, const BenchWork& work,
                                              std::span<const handloom::BenchOptions> ways) {
  stop_if_interrupted();  // loading does not listen
  handloom::Bench bench = take(handloom::Bench::create(engine));
  std::vector<std::vector<BenchFigure>> figures(ways.size(), empty_figures(work));
  warm_up(bench, work.points.front(), ways.front());
  for (uint32_t repeat = 0; repeat < work.repeats; ++repeat) {
    for (size_t i = 0; i < ways.size(); ++i) measure_once(bench, work, ways[i], figures[i]);
  }
  for (auto& of_way : figures) {
    std::erase_if(of_way, [](const BenchFigure& figure) { return figure.samples.empty(); });
  }
  return figures;
}

}  // namespace cli
