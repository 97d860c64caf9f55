// Numbers and lists as people read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

/// Three significant digits: "0.42", "64.1", "310".
std::string three_digits(double value);

/// Decimal units, as bandwidths are given: "512 B", "2.05 KB", "13.6 MB".
std::string bytes_text(uint64_t bytes);

/// Binary units, as GPU limits are given: "16 KiB", "128 MiB", "1.50 GiB".
std::string binary_bytes_text(uint64_t bytes);

/// "1 token", "2 tokens"
std::string count_text(uint64_t n, std::string_view singular);

/// "a, b, c"
std::string join(std::span<const std::string> parts, std::string_view separator);

/// The characters of UTF-8 `text`, which is its width on a screen for all but wide scripts.
size_t text_width(std::string_view text);

/// `text` and spaces up to `width` characters.
std::string pad_right(std::string_view text, size_t width);
std::string pad_left(std::string_view text, size_t width);

/// `parts` joined by ", ", broken into lines of at most `width` characters between the parts. A
/// part that begins with "->" follows a space alone.
std::vector<std::string> wrap(std::span<const std::string> parts, size_t width);

/// A token's text on one line: line breaks and other controls as escapes, in quotes.
std::string in_quotes(std::string_view text);

}  // namespace cli
