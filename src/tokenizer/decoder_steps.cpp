// The steps of decoder.h, one by one.
#include "tokenizer/decoder.h"

#include "tokenizer/byte_alphabet.h"

#include <algorithm>
#include <utility>

namespace handloom::tokenizer::decode {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

std::optional<uint32_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint32_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<uint32_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<uint32_t>(c - 'A' + 10);
  return std::nullopt;
}

/// The byte of "<0xE2>", or nullopt.
std::optional<char> byte_of(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return std::nullopt;
  const auto high = hex_digit(piece[3]), low = hex_digit(piece[4]);
  if (!high || !low) return std::nullopt;
  return static_cast<char>(static_cast<unsigned char>(*high << 4 | *low));
}

std::string replace_text(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  size_t end = 0;
  for (size_t at = text.find(from); at != text.npos; at = text.find(from, end)) {
    out += text.substr(end, at - end);
    out += to;
    end = at + from.size();
  }
  out += text.substr(end);
  return out;
}

/// What English tokenisers put spaces before, joined again.
std::string cleaned_up(std::string text) {
  constexpr std::pair<std::string_view, std::string_view> kPairs[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kPairs) text = replace_text(text, from, to);
  return text;
}

}  // namespace

Result<void> Join::push(std::string_view piece, const Emit& emit) {
  if (!std::exchange(is_first, false)) CHECK_OK(emit(" "));
  return emit(piece);
}

Result<void> Join::finish(const Emit&) {
  is_first = true;
  return {};
}

Result<void> Replace::push(std::string_view piece, const Emit& emit) {
  TRY(const std::string& text, replace_all(piece, pattern, content, emit.limit()));
  return emit(text);
}

Result<void> ReplaceInChunks::push(std::string_view chunk, const Emit& emit) {
  held += chunk;
  CHECK_OK(check_growth(held.size() / literal.size() * content.size(), emit.limit()));
  std::string text;
  size_t end = 0;
  for (size_t at = held.find(literal); at != held.npos; at = held.find(literal, end)) {
    text.append(held, end, at - end);
    text += content;
    end = at + literal.size();
  }
  // Keep the longest end that may be the beginning of a literal.
  size_t n_kept = std::min(held.size() - end, literal.size() - 1);
  while (!held.ends_with(std::string_view(literal).substr(0, n_kept))) --n_kept;
  text.append(held, end, held.size() - end - n_kept);
  held.erase(0, held.size() - n_kept);
  return emit(text);
}

Result<void> ReplaceInChunks::finish(const Emit& emit) { return emit(std::exchange(held, {})); }

Result<void> ByteFallback::push(std::string_view piece, const Emit& emit) {
  if (const auto byte = byte_of(piece)) return push_byte(*byte, emit);
  CHECK_OK(finish(emit));
  return emit(piece);
}

Result<void> ByteFallback::push_byte(char byte, const Emit& emit) {
  if (is_broken) return emit(kReplacement);
  run += byte;
  const Utf8Front front = utf8_front(std::string_view(run).substr(n_checked));
  if (front.kind == Utf8Front::whole) n_checked = run.size();
  if (front.kind != Utf8Front::invalid) return {};
  is_broken = true;
  for (size_t i = 0; i < run.size(); ++i) CHECK_OK(emit(kReplacement));
  run.clear();
  return {};
}

Result<void> ByteFallback::finish(const Emit& emit) {
  is_broken = false;
  const std::string text = std::exchange(run, {});
  const bool whole = std::exchange(n_checked, 0) == text.size();
  if (text.empty()) return {};
  if (whole) return emit(text);
  for (size_t i = 0; i < text.size(); ++i) CHECK_OK(emit(kReplacement));
  return {};
}

Result<void> Strip::push(std::string_view piece, const Emit& emit) {
  for (uint32_t i = 0; i < start && piece.starts_with(content); ++i) {
    piece.remove_prefix(content.size());
  }
  for (uint32_t i = 0; i < stop && piece.ends_with(content); ++i) {
    piece.remove_suffix(content.size());
  }
  return emit(piece);
}

Result<void> StripInChunks::push(std::string_view chunk, const Emit& emit) {
  std::string text;
  while (!chunk.empty()) {
    const bool is_content = chunk.starts_with(content);
    const size_t n_bytes = utf8_length(chunk[0]);
    if (is_content && !in_text && n_cut < start) {
      ++n_cut;
    } else if (is_content && n_held < stop) {
      in_text = true;
      ++n_held;
    } else if (is_content) {
      in_text = true;
      text += content;  // the oldest of those held; this one takes its place
    } else {
      in_text = true;
      for (; n_held > 0; --n_held) text += content;
      text += chunk.substr(0, n_bytes);
    }
    chunk.remove_prefix(n_bytes);
  }
  return emit(text);
}

Result<void> StripInChunks::finish(const Emit&) {
  n_cut = n_held = 0;
  in_text = false;
  return {};
}

Result<void> Metaspace::push(std::string_view piece, const Emit& emit) {
  const bool drops = std::exchange(is_first, false) && drops_first;
  return emit(replace_text(piece, replacement, drops ? "" : " "));
}

Result<void> Metaspace::finish(const Emit&) {
  is_first = true;
  return {};
}

Result<void> ByteLevel::push(std::string_view piece, const Emit& emit) {
  std::string text;
  // A piece with other characters, such as an added token, is its own bytes.
  if (const auto spelled = bytes_of_piece(piece)) {
    bytes.push(*spelled, text);
  } else {
    bytes.push(piece, text);
  }
  return emit(text);
}

Result<void> ByteLevel::finish(const Emit& emit) {
  std::string text;
  bytes.finish(text);
  return emit(text);
}

Result<void> BpeSuffix::push(std::string_view piece, const Emit& emit) {
  if (has_held) {
    TRY(const std::string& text, replace_all(held, suffix, " ", emit.limit()));
    CHECK_OK(emit(text));
  }
  held = piece;
  has_held = true;
  return {};
}

Result<void> BpeSuffix::finish(const Emit& emit) {
  if (!std::exchange(has_held, false)) return {};
  TRY(const std::string& text, replace_all(held, suffix, "", emit.limit()));
  return emit(text);
}

Result<void> WordPiece::push(std::string_view piece, const Emit& emit) {
  std::string text(piece);
  if (!std::exchange(is_first, false)) {
    if (piece.starts_with(prefix)) {
      text.erase(0, prefix.size());
    } else {
      text.insert(0, 1, ' ');
    }
  }
  if (cleanup) text = cleaned_up(std::move(text));
  return emit(text);
}

Result<void> WordPiece::finish(const Emit&) {
  is_first = true;
  return {};
}

Result<void> Hold::push(std::string_view chunk, const Emit&) {
  held += chunk;
  return {};
}

Result<void> Hold::finish(const Emit& emit) { return emit(std::exchange(held, {})); }

}  // namespace handloom::tokenizer::decode
