#include "sampling.h"

#include "print.h"

#include <fmt/format.h>

#include <random>
#include <vector>

namespace cli {

handloom::SamplingOptions apply(const SamplingFlags& flags, handloom::SamplingOptions defaults,
                                uint64_t random_seed) {
  handloom::SamplingOptions sampling = std::move(defaults);
  sampling.temperature = flags.temperature.value_or(sampling.temperature);
  sampling.top_k = flags.top_k.value_or(sampling.top_k);
  sampling.top_p = flags.top_p.value_or(sampling.top_p);
  sampling.min_p = flags.min_p.value_or(sampling.min_p);
  sampling.repeat_penalty = flags.repeat_penalty.value_or(sampling.repeat_penalty);
  sampling.frequency_penalty = flags.frequency_penalty.value_or(sampling.frequency_penalty);
  sampling.presence_penalty = flags.presence_penalty.value_or(sampling.presence_penalty);
  sampling.logit_bias.insert(sampling.logit_bias.end(), flags.logit_bias.begin(),
                             flags.logit_bias.end());
  sampling.seed = flags.seed.value_or(random_seed);
  return sampling;
}

std::string greedy_note(const SamplingFlags& flags, const handloom::SamplingOptions& sampling) {
  if (sampling.temperature > 0.0f) return "";
  std::vector<std::string> idle;
  if (flags.top_k) idle.push_back("--top-k");
  if (flags.top_p) idle.push_back("--top-p");
  if (flags.min_p) idle.push_back("--min-p");
  if (flags.seed) idle.push_back("--seed");
  if (idle.empty()) return "";
  return fmt::format("the temperature is 0 (greedy), so {} {} no effect", join(idle, ", "),
                     idle.size() == 1 ? "has" : "have");
}

uint64_t draw_seed() { return std::random_device{}(); }

}  // namespace cli
