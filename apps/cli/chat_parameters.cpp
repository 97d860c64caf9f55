#include "chat_parameters.h"

#include "failure.h"
#include "numbers.h"
#include "print.h"

#include <fmt/format.h>

#include <limits>

namespace cli {
namespace {

using handloom::SamplingOptions;

struct Parameter {
  std::string_view name;
  std::string (*text)(const ChatParameters&);
  void (*set)(ChatParameters&, std::string_view name, std::string_view text);
};

template <float SamplingOptions::*kMember, const Range& kRange>
Parameter real(std::string_view name) {
  return {
      .name = name,
      .text = [](const ChatParameters& p) { return fmt::format("{}", p.sampling.*kMember); },
      .set = [](ChatParameters& p, std::string_view option,
                std::string_view text) { p.sampling.*kMember = parse_real(option, text, kRange); }};
}

uint32_t parse_u32(std::string_view name, std::string_view text) {
  return static_cast<uint32_t>(parse_whole(name, text, 0, std::numeric_limits<uint32_t>::max()));
}

std::string logit_bias_text(const ChatParameters& p) {
  std::vector<std::string> parts;
  for (const auto& [id, bias] : p.sampling.logit_bias) {
    parts.push_back(fmt::format("{}={}", id, bias));
  }
  return parts.empty() ? "none" : join(parts, ",");
}

void set_logit_bias(ChatParameters& p, std::string_view name, std::string_view text) {
  decltype(p.sampling.logit_bias) biases;
  while (text != "none" && !text.empty()) {
    const size_t end = std::min(text.find(','), text.size());
    biases.push_back(parse_logit_bias(name, text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  p.sampling.logit_bias = std::move(biases);
}

void set_overflow(ChatParameters& p, std::string_view name, std::string_view text) {
  if (text != "drop" && text != "refuse") {
    throw Failure(
        fmt::format("{} is '{}', expected one of drop, refuse", name, one_line(std::string(text))));
  }
  p.overflow = text == "drop" ? Overflow::drop : Overflow::refuse;
}

const std::vector<Parameter>& all_parameters() {
  static const std::vector<Parameter> parameters = {
      real<&SamplingOptions::temperature, kNotNegative>("temperature"),
      {"top-k", [](const ChatParameters& p) { return fmt::format("{}", p.sampling.top_k); },
       [](ChatParameters& p, std::string_view name, std::string_view text) {
         p.sampling.top_k = parse_u32(name, text);
       }},
      real<&SamplingOptions::top_p, kTopP>("top-p"),
      real<&SamplingOptions::min_p, kMinP>("min-p"),
      real<&SamplingOptions::repeat_penalty, kPositive>("repeat-penalty"),
      real<&SamplingOptions::frequency_penalty, kAny>("frequency-penalty"),
      real<&SamplingOptions::presence_penalty, kAny>("presence-penalty"),
      {"logit-bias", logit_bias_text, set_logit_bias},
      {"seed", [](const ChatParameters& p) { return fmt::format("{}", p.sampling.seed); },
       [](ChatParameters& p, std::string_view name, std::string_view text) {
         p.sampling.seed = parse_whole(name, text, 0, std::numeric_limits<uint64_t>::max());
       }},
      {"max-tokens", [](const ChatParameters& p) { return fmt::format("{}", p.max_tokens); },
       [](ChatParameters& p, std::string_view name, std::string_view text) {
         p.max_tokens = parse_u32(name, text);
       }},
      {"overflow",
       [](const ChatParameters& p) {
         return std::string(p.overflow == Overflow::drop ? "drop" : "refuse");
       },
       set_overflow},
  };
  return parameters;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> parameter_texts(const ChatParameters& parameters) {
  std::vector<std::pair<std::string, std::string>> texts;
  for (const Parameter& parameter : all_parameters()) {
    texts.emplace_back(parameter.name, parameter.text(parameters));
  }
  return texts;
}

void set_parameter(ChatParameters& parameters, std::string_view name, std::string_view text) {
  std::vector<std::string> names;
  for (const Parameter& parameter : all_parameters()) {
    if (parameter.name == name) return parameter.set(parameters, name, text);
    names.emplace_back(parameter.name);
  }
  throw Failure(fmt::format("'{}' is not a parameter, expected one of {}",
                            one_line(std::string(name)), join(names, ", ")));
}

ChatParameters with_parameters(ChatParameters parameters, std::string_view settings) {
  constexpr std::string_view kSpace = " \t\n";
  const auto skip = [&](std::string_view characters) {
    settings.remove_prefix(std::min(settings.find_first_not_of(characters), settings.size()));
  };
  const auto next_word = [&](std::string_view ends) {
    const std::string_view word = settings.substr(0, settings.find_first_of(ends));
    settings.remove_prefix(word.size());
    return word;
  };
  for (skip(kSpace); !settings.empty(); skip(kSpace)) {
    const std::string_view name = next_word(" \t\n=");
    skip(" \t\n=");
    const std::string_view text = next_word(kSpace);
    if (text.empty()) {
      throw Failure(fmt::format("{} has no value, expected one, as in /params temperature 0.7",
                                one_line(std::string(name))));
    }
    set_parameter(parameters, name, text);
  }
  return parameters;
}

}  // namespace cli
