// What /params shows and sets: sampling, the length of answers, what happens when the context is
// full. Every parameter has its command line option's name, and a text that sets it again.
#pragma once

#include "commands.h"

#include <handloom/sampling_options.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cli {

struct ChatParameters {
  handloom::SamplingOptions sampling;
  uint32_t max_tokens = 0;  // of an answer; 0: until the context is full
  Overflow overflow = Overflow::drop;
};

/// Name and text of every parameter, in the order shown.
std::vector<std::pair<std::string, std::string>> parameter_texts(const ChatParameters& parameters);

/// Sets one parameter by its text. Throws Failure, naming it, what was found and what is expected.
void set_parameter(ChatParameters& parameters, std::string_view name, std::string_view text);

/// "temperature 0.7 top-k 40", also with "=" between name and text. All of them or, with a Failure,
/// none.
ChatParameters with_parameters(ChatParameters parameters, std::string_view settings);

}  // namespace cli
