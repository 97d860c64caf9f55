#include "tokenizer/utf8.h"

#include <algorithm>

namespace handloom::tokenizer {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool is_continuation(unsigned char byte) { return (byte & 0xc0) == 0x80; }

/// The range of the second byte excludes overlong forms, surrogates and codes past U+10FFFF.
bool second_byte_fits(unsigned char lead, unsigned char second) {
  switch (lead) {
    case 0xe0: return second >= 0xa0 && second <= 0xbf;
    case 0xed: return second >= 0x80 && second <= 0x9f;
    case 0xf0: return second >= 0x90 && second <= 0xbf;
    case 0xf4: return second >= 0x80 && second <= 0x8f;
    default: return is_continuation(second);
  }
}

/// Appends `bytes` with replacements and returns how many bytes at the end are unfinished.
size_t append_lossy(std::string_view bytes, std::string& out) {
  size_t begin = 0;  // of the valid bytes not yet appended
  for (size_t i = 0; i < bytes.size();) {
    const Utf8Front front = utf8_front(bytes.substr(i));
    if (front.kind == Utf8Front::whole) {
      i += front.n_bytes;
      continue;
    }
    out.append(bytes, begin, i - begin);
    if (front.kind == Utf8Front::unfinished) return bytes.size() - i;
    out += kReplacement;
    begin = i += front.n_bytes;
  }
  out.append(bytes, begin);
  return 0;
}

}  // namespace

Utf8Front utf8_front(std::string_view bytes) {
  const auto lead = static_cast<unsigned char>(bytes[0]);
  if (lead < 0x80) return {Utf8Front::whole, 1};
  if (lead < 0xc2 || lead > 0xf4) return {Utf8Front::invalid, 1};
  const size_t length = utf8_length(bytes[0]);
  for (size_t i = 1; i < length; ++i) {
    if (i == bytes.size()) return {Utf8Front::unfinished, i};
    const auto byte = static_cast<unsigned char>(bytes[i]);
    const bool fits = i == 1 ? second_byte_fits(lead, byte) : is_continuation(byte);
    if (!fits) return {Utf8Front::invalid, i};
  }
  return {Utf8Front::whole, length};
}

std::optional<size_t> find_invalid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const Utf8Front front = utf8_front(text.substr(i));
    if (front.kind != Utf8Front::whole) return i;
    i += front.n_bytes;
  }
  return std::nullopt;
}

Character character_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[at + i]));
  };
  switch (utf8_length(text[at])) {
    case 1: return {byte(0), 1};
    case 2: return {(byte(0) & 0x1f) << 6 | (byte(1) & 0x3f), 2};
    case 3: return {(byte(0) & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f), 3};
    default:
      return {(byte(0) & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 |
                  (byte(3) & 0x3f),
              4};
  }
}

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return !is_continuation(static_cast<unsigned char>(c));
  }));
}

void append_utf8(char32_t code, std::string& out) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(static_cast<uint8_t>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

void LossyUtf8::push(std::string_view bytes, std::string& out) {
  if (held_.empty()) {
    held_ = bytes.substr(bytes.size() - append_lossy(bytes, out));
    return;
  }
  held_ += bytes;
  const size_t n_unfinished = append_lossy(held_, out);
  held_.erase(0, held_.size() - n_unfinished);
}

void LossyUtf8::finish(std::string& out) {
  if (!held_.empty()) out += kReplacement;
  held_.clear();
}

}  // namespace handloom::tokenizer
