#include "tokenizer/byte_alphabet.h"

#include "tokenizer/utf8.h"

namespace handloom::tokenizer {
namespace {

constexpr std::array<char32_t, 256> kAlphabet = byte_alphabet();
constexpr char32_t kPastLast = 0x144;

/// The byte of each character below kPastLast, or -1.
constexpr std::array<int16_t, kPastLast> inverse() {
  std::array<int16_t, kPastLast> bytes{};
  bytes.fill(-1);
  for (int16_t byte = 0; byte < 256; ++byte) bytes[kAlphabet[static_cast<size_t>(byte)]] = byte;
  return bytes;
}

constexpr std::array<int16_t, kPastLast> kBytes = inverse();

}  // namespace

void append_spelled_bytes(std::string_view bytes, std::string& out) {
  for (const char c : bytes) append_utf8(kAlphabet[static_cast<unsigned char>(c)], out);
}

std::optional<std::string> bytes_of_piece(std::string_view piece) {
  std::string bytes;
  for (size_t i = 0; i < piece.size();) {
    const Character c = character_at(piece, i);
    if (c.code >= kPastLast || kBytes[c.code] < 0) return std::nullopt;
    bytes += static_cast<char>(kBytes[c.code]);
    i += c.n_bytes;
  }
  return bytes;
}

}  // namespace handloom::tokenizer
