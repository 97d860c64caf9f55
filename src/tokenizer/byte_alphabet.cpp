#include "tokenizer/byte_alphabet.h"

#include "tokenizer/utf8.h"

#include <cstdint>

namespace handloom::tokenizer {
namespace {

// The bytes that do not stand for themselves: three runs, which lie one behind the other from
// U+0100.
constexpr struct {
  uint8_t first, last;
  char32_t character;  // of the first
} kRuns[] = {{0x00, 0x20, 0x100}, {0x7f, 0xa0, 0x121}, {0xad, 0xad, 0x143}};

char32_t character_of(uint8_t byte) {
  for (const auto& run : kRuns) {
    if (byte >= run.first && byte <= run.last) return run.character + (byte - run.first);
  }
  return byte;
}

std::optional<uint8_t> byte_of(char32_t character) {
  for (const auto& run : kRuns) {
    const char32_t byte = character - run.character + run.first;
    if (byte >= run.first && byte <= run.last) return static_cast<uint8_t>(byte);
  }
  const auto byte = static_cast<uint8_t>(character);
  return character_of(byte) == character ? std::optional(byte) : std::nullopt;
}

}  // namespace

void append_spelled_bytes(std::string_view bytes, std::string& out) {
  for (const char c : bytes) append_utf8(character_of(static_cast<uint8_t>(c)), out);
}

std::optional<std::string> bytes_of_piece(std::string_view piece) {
  std::string bytes;
  for (size_t i = 0; i < piece.size();) {
    const Character c = character_at(piece, i);
    const auto byte = byte_of(c.code);
    if (!byte) return std::nullopt;
    bytes += static_cast<char>(*byte);
    i += c.n_bytes;
  }
  return bytes;
}

}  // namespace handloom::tokenizer
