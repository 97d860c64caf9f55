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

template <class T>
T at(const void* value) {
  return *static_cast<const T*>(value);
}

/// The bits of a whole number, extended by its sign.
uint64_t whole(Kind kind, const void* value) {
  switch (kind) {
    case Kind::i8: return static_cast<uint64_t>(int64_t{at<int8_t>(value)});
    case Kind::i16: return static_cast<uint64_t>(int64_t{at<int16_t>(value)});
    case Kind::i32: return static_cast<uint64_t>(int64_t{at<int32_t>(value)});
    case Kind::u8: return at<uint8_t>(value);
    case Kind::u16: return at<uint16_t>(value);
    case Kind::u32: return at<uint32_t>(value);
    default: return at<uint64_t>(value);
  }
}

/// `spec`: what stands behind the colon. The digits in it are the width, or the precision.
void append_number(std::string& out, Kind kind, const void* value, std::string_view spec) {
  const char type = spec.empty() ? 'd' : spec.back();
  unsigned count = 0;
  for (const char c : spec) {
    if (c >= '0' && c <= '9') count = 10 * count + static_cast<unsigned>(c - '0');
  }
  if (kind == Kind::f32 || kind == Kind::f64) {
    const bool is_f32 = kind == Kind::f32;
    const auto form = type == 'f' || type == 'g' ? static_cast<uint32_t>(type) : 0;
    out += handloom::web::take_block(handloom::web::host_format_number(
        is_f32 ? double{at<float>(value)} : at<double>(value), is_f32, form, count));
    return;
  }
  const uint64_t bits = whole(kind, value);
  const bool is_negative = kind <= Kind::i64 && static_cast<int64_t>(bits) < 0;
  const bool is_hex = type == 'x' || type == 'X';
  const std::string digits =
      digits_of(is_negative ? 0 - bits : bits, is_hex ? 16 : 10, type == 'X' ? 'A' : 'a');
  if (is_negative) out += '-';
  out.append(count - std::min<size_t>(count, digits.size()), '0');
  out += digits;
}

void append(std::string& out, Kind kind, const void* value, std::string_view spec) {
  switch (kind) {
    case Kind::string: out += *static_cast<const std::string*>(value); return;
    case Kind::view: out += at<std::string_view>(value); return;
    case Kind::array: out += static_cast<const char*>(value); return;
    case Kind::pointer: out += at<const char*>(value); return;
    case Kind::boolean: out += at<bool>(value) ? "true" : "false"; return;
    case Kind::character: out += at<char>(value); return;
    default: append_number(out, kind, value, spec);
  }
}

}  // namespace

std::string vformat(std::string_view text, format_args args) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c == '{' || c == '}') && i + 1 < text.size() && text[i + 1] == c) {
      ++i;  // doubled: itself
    } else if (c == '{' && *args.kinds != Kind::end) {
      const size_t end = text.find('}', i);
      const size_t spec = std::min(text.find(':', i), end - 1) + 1;
      append(out, *args.kinds++, *args.values++, text.substr(spec, end - spec));
      i = end;
      continue;
    }
    out += c;
  }
  return out;
}

}  // namespace fmt
