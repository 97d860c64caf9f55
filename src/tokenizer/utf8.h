// UTF-8: checking, walking, and turning bytes that arrive in pieces into whole characters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace handloom::tokenizer {

/// What stands at the front of some bytes: a whole character, the beginning of one that needs more
/// bytes, or a maximal part that cannot become one.
struct Utf8Front {
  enum { whole, unfinished, invalid } kind;
  size_t n_bytes;
};
/// `bytes` must not be empty.
Utf8Front utf8_front(std::string_view bytes);

/// The byte offset of the first byte that does not belong to valid UTF-8, or nullopt.
std::optional<size_t> find_invalid_utf8(std::string_view text);

/// The character at `at`, which must begin a character of valid UTF-8.
struct Character {
  char32_t code;
  uint32_t n_bytes;
};
Character character_at(std::string_view text, size_t at);

/// Bytes of the character that begins with `lead`, in valid UTF-8.
inline uint32_t utf8_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/// Where the last character of valid UTF-8 begins; `text` must not be empty.
inline size_t start_of_last_character(std::string_view text) {
  size_t at = text.size() - 1;
  while ((static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) --at;
  return at;
}

/// Characters in valid UTF-8.
size_t count_characters(std::string_view text);

void append_utf8(char32_t code, std::string& out);

/// Bytes in, whole characters out. Invalid bytes become U+FFFD, one for each maximal part of a
/// character (Unicode 3.9, "Substitution of Maximal Subparts"), as in Rust's from_utf8_lossy.
class LossyUtf8 {
 public:
  /// Appends what is certain; at most three bytes stay behind.
  void push(std::string_view bytes, std::string& out);
  /// Appends U+FFFD if a character was left unfinished; then ready for a new text.
  void finish(std::string& out);

 private:
  std::string held_;
};

}  // namespace handloom::tokenizer
