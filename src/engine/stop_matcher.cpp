#include "engine/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace handloom::engine {
namespace {

/// Length of the longest end of `text` that begins `stop`, short of all of it.
size_t begun_length(std::string_view text, std::string_view stop) {
  for (size_t n = std::min(text.size(), stop.size() - 1); n > 0; --n) {
    if (text.ends_with(stop.substr(0, n))) return n;
  }
  return 0;
}

}  // namespace

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& s) { return s.empty(); });
}

std::string StopMatcher::push(std::string_view text) {
  if (stopped_) return {};
  held_ += text;
  size_t first_stop = std::string::npos, begun = 0;
  for (const std::string& stop : stops_) {
    first_stop = std::min(first_stop, held_.find(stop));
    begun = std::max(begun, begun_length(held_, stop));
  }
  stopped_ = first_stop != std::string::npos;
  const size_t n_shown = stopped_ ? first_stop : held_.size() - begun;
  std::string shown = held_.substr(0, n_shown);
  held_.erase(0, n_shown);
  if (stopped_) held_.clear();
  return shown;
}

std::string StopMatcher::finish() { return std::exchange(held_, {}); }

}  // namespace handloom::engine
