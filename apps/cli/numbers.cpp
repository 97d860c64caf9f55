#include "numbers.h"

#include "failure.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace cli {
namespace {

template <class T>
std::optional<T> whole_text_as(std::string_view text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

Failure unexpected(std::string_view option, std::string_view text, std::string_view expected) {
  return Failure(
      fmt::format("{} is '{}', expected {}", option, one_line(std::string(text)), expected),
      kExitUsage);
}

bool contains(const Range& range, float value) {
  return std::isfinite(value) && (range.with_min ? value >= range.min : value > range.min) &&
         (range.with_max ? value <= range.max : value < range.max);
}

}  // namespace

uint64_t parse_whole(std::string_view option, std::string_view text, uint64_t min, uint64_t max) {
  const auto value = whole_text_as<uint64_t>(text);
  if (value && *value >= min && *value <= max) return *value;
  throw unexpected(option, text, fmt::format("a whole number from {} to {}", min, max));
}

uint64_t parse_bytes(std::string_view option, std::string_view text) {
  const size_t n_digits = std::min(text.find_first_not_of("0123456789."), text.size());
  const auto number = whole_text_as<double>(text.substr(0, n_digits));
  std::string_view unit = text.substr(n_digits);
  if (unit.ends_with("B")) unit.remove_suffix(1);
  const bool is_binary = unit.size() == 2 && unit.ends_with("i");
  if (is_binary) unit.remove_suffix(1);
  constexpr std::string_view kUnits = "KMGT";
  const size_t power = unit.empty() ? 0 : kUnits.find(unit) + 1;
  const double bytes =
      number ? *number * std::pow(is_binary ? 1024.0 : 1000.0, static_cast<double>(power)) : 0.0;
  const bool is_known = unit.size() <= 1 && (unit.empty() || kUnits.find(unit) != kUnits.npos);
  if (is_known && bytes >= 1.0 && bytes <= 1e18) return static_cast<uint64_t>(bytes);
  throw unexpected(option, text, "a size in bytes such as 800M, 2G or 1.5GiB");
}

float parse_real(std::string_view option, std::string_view text, const Range& range) {
  const auto value = whole_text_as<float>(text);
  if (value && contains(range, *value)) return *value;
  throw unexpected(option, text, range.words);
}

std::pair<uint32_t, float> parse_logit_bias(std::string_view option, std::string_view text) {
  const size_t equals = text.find('=');
  if (equals != std::string_view::npos) {
    const auto id = whole_text_as<uint32_t>(text.substr(0, equals));
    const auto value = whole_text_as<float>(text.substr(equals + 1));
    if (id && value && std::isfinite(*value)) return {*id, *value};
  }
  throw unexpected(option, text, "ID=VALUE, a token id and a finite number such as 42=-5.5");
}

std::vector<uint32_t> parse_counts(std::string_view option, std::string_view text) {
  constexpr uint64_t kMost = std::numeric_limits<uint32_t>::max();
  std::vector<uint32_t> counts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    counts.push_back(
        static_cast<uint32_t>(parse_whole(option, text.substr(at, end - at), 1, kMost)));
    at = end + 1;
  }
  return counts;
}

std::vector<uint32_t> parse_ids(std::string_view option, std::string_view text) {
  constexpr std::string_view kBetween = ", \t\r\n[]";
  std::vector<uint32_t> ids;
  for (size_t at = text.find_first_not_of(kBetween); at != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(kBetween, at), text.size());
    const auto id = whole_text_as<uint32_t>(text.substr(at, end - at));
    if (!id) throw unexpected(option, text.substr(at, end - at), "a token id, a whole number");
    ids.push_back(*id);
    at = text.find_first_not_of(kBetween, end);
  }
  if (ids.empty()) throw unexpected(option, text, "token ids such as 1,2,3");
  return ids;
}

}  // namespace cli
