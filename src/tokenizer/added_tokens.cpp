#include "tokenizer/added_tokens.h"

#include "base/sort.h"
#include "tokenizer/utf8.h"

#include <algorithm>

namespace handloom::tokenizer {
namespace {

// A match costs as many steps as the longest token has bytes.
constexpr size_t kMaxContentBytes = 4096;

Result<AddedToken> read_token(const JsonObject& fields) {
  TRY(std::string content, fields.get_string("content"));
  TRY(const uint32_t id, fields.get_u32("id"));
  TRY(const auto special, fields.find_bool("special"));
  TRY(const auto normalized, fields.find_bool("normalized"));
  TRY(const auto lstrip, fields.find_bool("lstrip"));
  TRY(const auto rstrip, fields.find_bool("rstrip"));
  TRY(const auto single_word, fields.find_bool("single_word"));
  if (content.size() > kMaxContentBytes) {
    return fail(ErrorCode::unsupported, "{}: 'content' has {} bytes, expected at most {}",
                fields.where(), content.size(), kMaxContentBytes);
  }
  return AddedToken{
      .content = std::move(content),
      .id = id,
      .special = special.value_or(false),
      .normalized = normalized.value_or(!special.value_or(false)),
      .lstrip = lstrip.value_or(false),
      .rstrip = rstrip.value_or(false),
      .single_word = single_word.value_or(false),
  };
}

size_t white_space_at_end(std::string_view text) {
  size_t begin = text.size();
  while (begin > 0) {
    const size_t last = start_of_last_character(text.substr(0, begin));
    if (!is_white_space(character_at(text, last).code)) break;
    begin = last;
  }
  return text.size() - begin;
}

size_t white_space_at_start(std::string_view text) {
  size_t end = 0;
  while (end < text.size() && is_white_space(character_at(text, end).code)) {
    end += utf8_length(text[end]);
  }
  return end;
}

}  // namespace

void TextTrie::insert(std::string_view text, uint32_t value) {
  if (text.empty()) return;
  uint32_t node = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    uint32_t next = child(node, byte);
    if (next == kNone) {
      next = static_cast<uint32_t>(nodes_.size());
      nodes_.push_back({.next_sibling = nodes_[node].first_child, .byte = byte});
      nodes_[node].first_child = next;
      if (node == 0) roots_[byte] = next;
    }
    node = next;
  }
  if (nodes_[node].value == kNone) nodes_[node].value = value;
}

uint32_t TextTrie::child(uint32_t parent, unsigned char byte) const {
  if (parent == 0) return roots_[byte];
  uint32_t node = nodes_[parent].first_child;
  while (node != kNone && nodes_[node].byte != byte) node = nodes_[node].next_sibling;
  return node;
}

std::optional<TextTrie::Found> TextTrie::longest(std::string_view text, size_t at) const {
  std::optional<Found> found;
  uint32_t node = 0;
  for (size_t i = at; i < text.size(); ++i) {
    node = child(node, static_cast<unsigned char>(text[i]));
    if (node == kNone) break;
    if (nodes_[node].value != kNone) found = Found{nodes_[node].value, i + 1 - at};
  }
  return found;
}

Result<AddedTokens> AddedTokens::read(const JsonObject& root, const Normalizer& normalizer,
                                      const Vocabulary& pieces) {
  AddedTokens added;
  const Json* list = root.find("added_tokens");
  if (list == nullptr) return added;
  if (!list->is_array()) {
    return fail(ErrorCode::bad_format, "{}: 'added_tokens' is {}, expected an array", root.where(),
                describe(*list));
  }
  for (size_t i = 0; i < list->size(); ++i) {
    const std::string where = fmt::format("{}: added_tokens[{}]", root.where(), i);
    TRY(const JsonObject& fields, JsonObject::from((*list)[i], where));
    CHECK_OK(added.add(fields, pieces));
  }
  sort_by(added.tokens_, [](const AddedToken& token) { return !token.special; });
  for (uint32_t i = 0; i < added.tokens_.size(); ++i) {
    const AddedToken& token = added.tokens_[i];
    if (token.normalized) {
      TRY(const std::string& content, normalizer.apply(token.content));
      added.normalized_.insert(content, i);
    } else {
      added.raw_.insert(token.content, i);
    }
  }
  return added;
}

Result<void> AddedTokens::add(const JsonObject& fields, const Vocabulary& pieces) {
  TRY(AddedToken token, read_token(fields));
  const auto model_id = pieces.id_of(token.content);
  const std::string* model_piece = pieces.piece(token.id);
  if (model_id && *model_id != token.id) {
    return fail(ErrorCode::bad_format, "{}: '{}' has id {}, but the model's vocabulary gives it {}",
                fields.where(), token.content, token.id, *model_id);
  }
  if (!model_id && model_piece) {
    return fail(ErrorCode::bad_format,
                "{}: '{}' has id {}, which is that of the model's piece '{}'", fields.where(),
                token.content, token.id, *model_piece);
  }
  if (!model_id) CHECK_OK(own_pieces_.add(token.content, token.id, fields.where()));
  if (token.special) {
    if (special_.size() <= token.id) special_.resize(token.id + 1);
    special_[token.id] = true;
  }
  tokens_.push_back(std::move(token));
  return {};
}

bool AddedTokens::is_whole_word(const AddedToken& token, std::string_view text, size_t begin,
                                size_t end) const {
  if (!token.single_word) return true;
  const auto is_word_at = [&](size_t at) { return is_word(character_at(text, at).code); };
  const bool word_before = begin > 0 && is_word_at(start_of_last_character(text.substr(0, begin)));
  const bool word_after = end < text.size() && is_word_at(end);
  return !word_before && !word_after;
}

std::vector<AddedTokens::Segment> AddedTokens::split(std::string_view text, Pass pass) const {
  const TextTrie& trie = pass == Pass::raw ? raw_ : normalized_;
  std::vector<Segment> segments;
  size_t done = 0;  // all before this belongs to a segment
  for (size_t at = 0; at < text.size();) {
    const auto found = trie.longest(text, at);
    if (!found) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[found->value];
    size_t begin = at, end = at + found->n_bytes;
    at = end;  // also past a token that turns out to be within a word
    if (!is_whole_word(token, text, begin, end)) continue;
    // White space that the token before has swallowed is gone.
    if (token.lstrip) begin = std::max(done, begin - white_space_at_end(text.substr(0, begin)));
    if (token.rstrip) end += white_space_at_start(text.substr(end));
    if (done < begin) segments.push_back({done, begin, std::nullopt});
    segments.push_back({begin, end, token.id});
    done = end;
  }
  if (done < text.size()) segments.push_back({done, text.size(), std::nullopt});
  return segments;
}

}  // namespace handloom::tokenizer
