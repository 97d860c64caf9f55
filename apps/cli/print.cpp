#include "print.h"

#include <fmt/format.h>

namespace cli {

std::string three_digits(double value) {
  if (value < 9.995) return fmt::format("{:.2f}", value);
  if (value < 99.95) return fmt::format("{:.1f}", value);
  return fmt::format("{:.0f}", value);
}

std::string bytes_text(uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  const char* unit = "B";
  for (const char* next : {"KB", "MB", "GB", "TB", "PB", "EB"}) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return fmt::format("{} {}", three_digits(value), unit);
}

std::string binary_bytes_text(uint64_t bytes) {
  uint64_t unit_bytes = 1;
  const char* unit = "B";
  for (const char* next : {"KiB", "MiB", "GiB", "TiB"}) {
    if (bytes / 1024 < unit_bytes) break;
    unit_bytes *= 1024;
    unit = next;
  }
  if (bytes % unit_bytes == 0) return fmt::format("{} {}", bytes / unit_bytes, unit);
  const double value = static_cast<double>(bytes) / static_cast<double>(unit_bytes);
  return fmt::format("{} {}", three_digits(value), unit);
}

std::string count_text(uint64_t n, std::string_view singular) {
  return fmt::format("{} {}{}", n, singular, n == 1 ? "" : singular.ends_with("ch") ? "es" : "s");
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts.begin(), parts.end(), separator));
}

size_t text_width(std::string_view text) {
  size_t width = 0;
  for (const char c : text) width += (c & 0xc0) != 0x80;
  return width;
}

std::string pad_right(std::string_view text, size_t width) {
  const size_t have = text_width(text);
  return std::string(text) + std::string(width > have ? width - have : 0, ' ');
}

std::string pad_left(std::string_view text, size_t width) {
  const size_t have = text_width(text);
  return std::string(width > have ? width - have : 0, ' ') + std::string(text);
}

std::vector<std::string> wrap(std::span<const std::string> parts, size_t width) {
  std::vector<std::string> lines(1);
  for (size_t i = 0; i < parts.size(); ++i) {
    const bool comma = i + 1 < parts.size() && !parts[i + 1].starts_with("->");
    const std::string part = parts[i] + (comma ? "," : "");
    std::string& line = lines.back();
    if (line.empty()) {
      line = part;
    } else if (text_width(line) + 1 + text_width(part) <= width) {
      line += " " + part;
    } else {
      lines.push_back(part);
    }
  }
  return lines;
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace cli
