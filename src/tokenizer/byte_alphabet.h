// The alphabet in which byte-level vocabularies write bytes: 256 printable characters, one for each
// byte, so that a piece is text even where its bytes are not (GPT-2, "Language Models are
// Unsupervised Multitask Learners", 2019). Printable Latin-1 stands for itself; the other 68 bytes
// take U+0100 and up in byte order, so that a space is U+0120.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace handloom::tokenizer {

/// The pattern of GPT-2's encoder, by which ByteLevel splits unless told otherwise.
inline constexpr std::string_view kByteLevelPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// Appends the alphabet's spelling of `bytes`.
void append_spelled_bytes(std::string_view bytes, std::string& out);

/// The bytes that `piece` (valid UTF-8) spells, or nullopt if a character is not of the alphabet.
std::optional<std::string> bytes_of_piece(std::string_view piece);

}  // namespace handloom::tokenizer
