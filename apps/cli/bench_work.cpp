#include "bench_work.h"

#include "bench_check.h"
#include "failure.h"
#include "print.h"

#include <fmt/format.h>

#include <algorithm>

namespace cli {
namespace {

constexpr uint32_t kDefaultContexts[] = {256, 1024, 4000};
constexpr uint32_t kDefaultPrompt = 512;
constexpr uint32_t kFewestTokens = 8;  // that a decode speed is worth being taken of
constexpr uint32_t kLeastContext = kCheckPrompt + kCheckTokens;

}  // namespace

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

}  // namespace cli
