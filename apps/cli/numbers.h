// Numbers on the command line. Every error names the option, what was found and what is expected.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cli {

/// A whole number in [min, max]. Throws Failure with kExitUsage, as all of these.
uint64_t parse_whole(std::string_view option, std::string_view text, uint64_t min, uint64_t max);

/// Bytes: a whole number, perhaps with K, M, G or T, which stand for powers of 1000, or Ki, Mi, Gi,
/// Ti for powers of 1024, and a B. "800M", "2G", "1.5GiB".
uint64_t parse_bytes(std::string_view option, std::string_view text);

/// The numbers that an option takes.
struct Range {
  float min, max;
  bool with_min = true, with_max = true;
  std::string_view words;  // "a number above 0 and up to 1"
};

inline constexpr float kMaxF32 = std::numeric_limits<float>::max();
inline constexpr Range kAny = {.min = -kMaxF32, .max = kMaxF32, .words = "a finite number"};
inline constexpr Range kNotNegative = {
    .min = 0, .max = kMaxF32, .words = "a finite number, 0 or more"};
inline constexpr Range kPositive = {
    .min = 0, .max = kMaxF32, .with_min = false, .words = "a finite number above 0"};
inline constexpr Range kTopP = {
    .min = 0, .max = 1, .with_min = false, .words = "a number above 0 and up to 1"};
inline constexpr Range kMinP = {
    .min = 0, .max = 1, .with_max = false, .words = "a number from 0 to below 1"};

/// A finite number in `range`.
float parse_real(std::string_view option, std::string_view text, const Range& range);

/// "ID=VALUE"
std::pair<uint32_t, float> parse_logit_bias(std::string_view option, std::string_view text);

/// "256,1024": whole numbers of at least 1.
std::vector<uint32_t> parse_counts(std::string_view option, std::string_view text);

/// "1,2 3": ids separated by commas, spaces or both; brackets around them are let through.
std::vector<uint32_t> parse_ids(std::string_view option, std::string_view text);

}  // namespace cli
