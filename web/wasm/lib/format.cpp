#include "base/web_host.h"

#include <fmt/format.h>

#include <algorithm>

namespace fmt {
namespace {

std::string digits_of(uint64_t value, unsigned base, char ten) {
  std::string out;
  do {
    const auto digit = static_cast<char>(value % base);
    out += static_cast<char>(digit < 10 ? '0' + digit : ten + digit - 10);
    value /= base;
  } while (value != 0);
  std::ranges::reverse(out);
  return out;
}

}  // namespace

void Arg::append_to(std::string& out, std::string_view spec) const {
  if (kind_ == Kind::text) {
    out += text_;
    return;
  }
  if (kind_ == Kind::character) {
    out += static_cast<char>(whole_);
    return;
  }
  const char type = spec.empty() ? 'd' : spec.back();
  unsigned count = 0;  // the width, or behind a point the precision
  for (const char c : spec) {
    if (c >= '0' && c <= '9') count = 10 * count + static_cast<unsigned>(c - '0');
  }
  if (kind_ == Kind::f32 || kind_ == Kind::f64) {
    const auto form = type == 'f' || type == 'g' ? static_cast<uint32_t>(type) : 0;
    out += handloom::web::take_block(
        handloom::web::host_format_number(number_, kind_ == Kind::f32, form, count));
    return;
  }
  const bool is_negative = kind_ == Kind::i64 && static_cast<int64_t>(whole_) < 0;
  const bool is_hex = type == 'x' || type == 'X';
  const std::string digits =
      digits_of(is_negative ? 0 - whole_ : whole_, is_hex ? 16 : 10, type == 'X' ? 'A' : 'a');
  if (is_negative) out += '-';
  out.append(count - std::min<size_t>(count, digits.size()), '0');
  out += digits;
}

std::string vformat(std::string_view text, const Arg* args, size_t n) {
  std::string out;
  size_t next = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c == '{' || c == '}') && i + 1 < text.size() && text[i + 1] == c) {
      ++i;  // doubled: itself
    } else if (c == '{' && next < n) {
      const size_t end = text.find('}', i);
      const size_t colon = std::min(text.find(':', i), end);
      args[next++].append_to(out,
                             text.substr(std::min(colon + 1, end), end - std::min(colon + 1, end)));
      i = end;
      continue;
    }
    out += c;
  }
  return out;
}

}  // namespace fmt
