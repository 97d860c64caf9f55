#include "bench_check.h"

#include "bench_measure.h"
#include "failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace cli {
namespace {

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
  if (check.largest_difference > check.tolerance) {
    return fmt::format("logits differ from plan plain's by {:.1e}, expected at most {:.0e}",
                       check.largest_difference, check.tolerance);
  }
  return "";
}

}  // namespace

PlainReference plain_reference(handloom::Engine& engine) {
  stop_if_interrupted();
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
  BenchCheck check = {
      .n_tokens = kCheckTokens, .ids = ids, .is_finite = true, .tolerance = tolerance};
  for (uint32_t i = 0; i < kCheckTokens; ++i) check.is_finite &= is_sound(row_of(logits, i));
  check.n_chosen = count_chosen(logits, ids);
  if (plain != nullptr) {
    // Along plain's ids, not these: one near-tie must not make all that follows another text.
    const handloom::HostTensor along = take(bench.logits(kCheckPrompt, plain->ids));
    check.n_equal = count_chosen(along, plain->ids);
    for (uint32_t i = 0; i < kCheckTokens; ++i) {
      const double difference = relative_difference(row_of(along, i), row_of(plain->logits, i));
      // std::max would lose a NaN.
      check.largest_difference = std::isnan(difference)
                                     ? std::numeric_limits<double>::infinity()
                                     : std::max(check.largest_difference, difference);
    }
  }
  check.failure = failure_of(check);
  return check;
}

double logit_tolerance(const handloom::ModelInfo& model) {
  if (model.kv_dtype == "int8" || model.matvec == "int8") return 5e-2;
  if (model.precision == handloom::Precision::f16 || model.kv_dtype == "f16" ||
      model.matvec == "f16")
    return 1e-2;
  return 1e-4;
}

}  // namespace cli
