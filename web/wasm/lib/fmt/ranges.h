// fmt::join, see format.h.
#pragma once

#include <fmt/format.h>

namespace fmt {

template <class Range>
std::string join(const Range& range, std::string_view between) {
  std::string out;
  for (const auto& item : range) {
    if (!out.empty()) out += between;
    out += format("{}", item);
  }
  return out;
}

}  // namespace fmt
