// Numbers on the command line. Every error names the option, what was found and what is expected.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cli {

/// A whole number in [min, max]. Throws Failure with kExitUsage, as all of these.
uint64_t parse_whole(std::string_view option, std::string_view text, uint64_t min, uint64_t max);

/// The numbers that an option takes.
struct Range {
  float min, max;
  bool with_min = true, with_max = true;
  std::string_view words;  // "a number above 0 and up to 1"
};

/// A finite number in `range`.
float parse_real(std::string_view option, std::string_view text, const Range& range);

/// "ID=VALUE"
std::pair<uint32_t, float> parse_logit_bias(std::string_view option, std::string_view text);

/// "1,2 3": ids separated by commas, spaces or both; brackets around them are let through.
std::vector<uint32_t> parse_ids(std::string_view option, std::string_view text);

}  // namespace cli
