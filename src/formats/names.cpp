#include "formats/names.h"

#include "base/json.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace handloom::formats {
namespace {

constexpr size_t kMaxPrinted = 100;
constexpr size_t kMaxCompared = 200;  // longer names are not a typing slip away from anything

/// Levenshtein's distance, one row of the table at a time.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

size_t length_difference(std::string_view a, std::string_view b) {
  return a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
}

}  // namespace

std::string printable(std::string_view name) {
  size_t kept = std::min(name.size(), kMaxPrinted);
  const bool cut = kept < name.size();
  while (cut && kept > 0 && (static_cast<unsigned char>(name[kept]) & 0xc0u) == 0x80u) --kept;
  std::string line(name.substr(0, kept));
  for (char& c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  return cut ? line + "..." : line;
}

std::string suggestion(std::string_view name, std::span<const std::string_view> candidates) {
  if (name.size() > kMaxCompared) return "";
  size_t nearest = name.size() / 3 + 1;  // exclusive
  std::string_view best;
  for (const std::string_view candidate : candidates) {
    if (length_difference(name, candidate) >= nearest) continue;
    const size_t distance = edit_distance(name, candidate);
    if (distance >= nearest) continue;
    nearest = distance;
    best = candidate;
  }
  return best.empty() ? "" : fmt::format("; is '{}' meant?", printable(best));
}

bool is_utf8(std::string_view text) {
  // The JSON writer replaces what is not UTF-8, so only valid text survives the trip.
  const std::string quoted = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  const Json back = Json::parse(quoted, nullptr, false);
  return back.is_string() && back.get_ref<const std::string&>() == text;
}

}  // namespace handloom::formats
