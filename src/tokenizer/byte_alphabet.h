// The alphabet in which byte-level vocabularies write bytes: 256 printable characters, one for each
// byte, so that a piece is text even where its bytes are not (GPT-2, "Language Models are
// Unsupervised Multitask Learners", 2019). Printable Latin-1 stands for itself; the other 68 bytes
// take U+0100 and up in byte order, so that a space is U+0120.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace handloom::tokenizer {

/// The pattern of GPT-2's encoder, by which ByteLevel splits unless told otherwise.
inline constexpr std::string_view kByteLevelPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

constexpr bool stands_for_itself(uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte != 0xad);
}

/// The character for each byte.
constexpr std::array<char32_t, 256> byte_alphabet() {
  std::array<char32_t, 256> alphabet{};
  char32_t next = 0x100;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    alphabet[byte] = stands_for_itself(byte) ? byte : next++;
  }
  return alphabet;
}

/// Appends the alphabet's spelling of `bytes`.
void append_spelled_bytes(std::string_view bytes, std::string& out);

/// The bytes that `piece` (valid UTF-8) spells, or nullopt if a character is not of the alphabet.
std::optional<std::string> bytes_of_piece(std::string_view piece);

}  // namespace handloom::tokenizer
