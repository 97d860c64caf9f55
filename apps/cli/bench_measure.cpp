#include "bench_measure.h"

#include "failure.h"
#include "figures.h"
#include "print.h"
#include "terminal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace cli {
namespace {

constexpr uint32_t kDefaultContexts[] = {256, 1024, 4000};
constexpr uint32_t kDefaultPrompt = 512;
constexpr uint32_t kFewestTokens = 8;  // that a decode speed is worth being taken of
constexpr uint32_t kCheckPrompt = 16, kCheckTokens = 32;
constexpr uint32_t kLeastContext = kCheckPrompt + kCheckTokens;

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
  const uint32_t first = work.points.front().context;
  figures.push_back({.name = "steps in flight", .tokens = first});
  figures.push_back({.name = "submit to token", .tokens = first, .unit = "ms"});
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

std::span<const float> row_of(const handloom::HostTensor& logits, size_t row) {
  const size_t n = logits.shape[1];
  return std::span(logits.values).subspan(row * n, n);
}

/// The lowest id of those with the largest logit.
uint32_t largest(std::span<const float> row) {
  return static_cast<uint32_t>(std::ranges::max_element(row) - row.begin());
}

bool is_sound(std::span<const float> row) {
  return std::ranges::all_of(row, [](float x) { return std::isfinite(x); }) &&
         std::ranges::any_of(row, [](float x) { return x != 0.0f; });
}

uint32_t count_chosen(const handloom::HostTensor& logits, std::span<const uint32_t> ids) {
  uint32_t n = 0;
  for (size_t i = 0; i < ids.size(); ++i) n += largest(row_of(logits, i)) == ids[i] ? 1 : 0;
  return n;
}

double relative_difference(std::span<const float> got, std::span<const float> want) {
  double error = 0.0, norm = 0.0;
  for (size_t i = 0; i < want.size(); ++i) {
    error += std::pow(double{got[i]} - double{want[i]}, 2);
    norm += std::pow(double{want[i]}, 2);
  }
  return std::sqrt(error) / std::max(std::sqrt(norm), 1e-30);
}

std::string failure_of(const BenchCheck& check) {
  if (!check.is_finite) return "the logits are not all finite, or all zero";
  if (check.n_chosen < check.n_tokens) {
    return fmt::format("{} of {} ids generated have not the largest logit",
                       check.n_tokens - check.n_chosen, check.n_tokens);
  }
  // Not <=: a NaN is a failure.
  if (!(check.largest_difference <= check.tolerance)) {
    return fmt::format("logits differ from plan plain's by {:.1e}, expected at most {:.0e}",
                       check.largest_difference, check.tolerance);
  }
  return "";
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

BenchWork fit_work(const BenchCommand& command, uint32_t context) {
  if (context < kLeastContext) {
    throw Failure(fmt::format("bench: the context holds {}, expected at least {}",
                              count_text(context, "token"), kLeastContext));
  }
  BenchWork work = {.n_prompt = command.prompt.value_or(std::min(kDefaultPrompt, context / 2)),
                    .repeats = command.repeats};
  if (work.n_prompt >= context) {
    throw Failure(fmt::format("bench: --prompt is {}, expected at most {}: the context holds {}",
                              work.n_prompt, context - 1, context));
  }
  const bool is_asked_for = !command.contexts.empty();
  std::vector<uint32_t> contexts = command.contexts;
  if (!is_asked_for) contexts.assign(std::begin(kDefaultContexts), std::end(kDefaultContexts));
  std::vector<std::string> left_out;
  for (const uint32_t c : contexts) {
    const uint32_t room = c < context ? context - c : 0;
    const uint32_t fewest = std::min(kFewestTokens, command.tokens);
    if (room >= fewest) {
      work.points.push_back({.context = c, .n_tokens = std::min(command.tokens, room)});
    } else if (is_asked_for) {
      throw Failure(fmt::format(
          "bench: --contexts has {}, expected at most {}: the context holds {} and decoding takes "
          "{} more",
          c, context - fewest, context, fewest));
    } else {
      left_out.push_back(fmt::format("{}", c));
    }
  }
  if (work.points.empty()) {  // a model for less than the least of the usual contexts
    work.points.push_back(
        {.context = context / 2, .n_tokens = std::min(command.tokens, context / 2)});
  }
  if (!left_out.empty()) {
    work.note = fmt::format("no decode after {} tokens: the context holds {}",
                            join(left_out, " or "), context);
  }
  return work;
}

std::vector<std::vector<BenchFigure>> measure(handloom::Engine& engine, const BenchWork& work,
                                              std::span<const handloom::BenchOptions> ways) {
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

PlainReference plain_reference(handloom::Engine& engine) {
  handloom::Bench bench = take(handloom::Bench::create(engine));
  PlainReference plain = {.ids = take(bench.greedy(kCheckPrompt, kCheckTokens, {}))};
  plain.logits = take(bench.logits(kCheckPrompt, plain.ids));
  return plain;
}

BenchCheck check(handloom::Engine& engine, const PlainReference* plain,
                 const handloom::BenchOptions& options, double tolerance) {
  handloom::Bench bench = take(handloom::Bench::create(engine));
  const std::vector<uint32_t> ids = take(bench.greedy(kCheckPrompt, kCheckTokens, options));
  stop_if_interrupted();
  const handloom::HostTensor logits = take(bench.logits(kCheckPrompt, ids));
  BenchCheck check = {.n_tokens = kCheckTokens, .is_finite = true, .tolerance = tolerance};
  for (uint32_t i = 0; i < kCheckTokens; ++i) check.is_finite &= is_sound(row_of(logits, i));
  check.n_chosen = count_chosen(logits, ids);
  if (plain != nullptr) {
    // Along plain's ids, not these: one near-tie must not make all that follows another text.
    const handloom::HostTensor along = take(bench.logits(kCheckPrompt, plain->ids));
    check.n_equal = count_chosen(along, plain->ids);
    for (uint32_t i = 0; i < kCheckTokens; ++i) {
      const double difference = relative_difference(row_of(along, i), row_of(plain->logits, i));
      // Not std::max: it would lose a NaN.
      if (!(difference <= check.largest_difference)) check.largest_difference = difference;
    }
  }
  check.failure = failure_of(check);
  return check;
}

double logit_tolerance(const handloom::ModelInfo& model, const std::string& matvec) {
  if (model.kv_dtype == "int8" || matvec == "int8") return 5e-2;
  if (model.precision == handloom::Precision::f16 || matvec == "f16") return 1e-2;
  return 1e-4;
}

}  // namespace cli
