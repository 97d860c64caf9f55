// The `added_tokens` of tokenizer.json: pieces that are found in the text before the model sees it.
// Matching is leftmost-longest over all tokens of a pass, as with an Aho-Corasick automaton; there
// are two passes, over the text as given and over the normalised text.
#pragma once

#include "base/flags.h"
#include "base/json.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/vocabulary.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::tokenizer {

struct AddedToken {
  std::string content;
  uint32_t id;
  bool special;      // left out by decode's skip_specials
  bool normalized;   // its normalised content is looked for in the normalised text
  bool lstrip;       // swallows white space on its left
  bool rstrip;       // and on its right
  bool single_word;  // does not match within a word
};

/// Finds the longest of many texts that stands at a place.
class TextTrie {
 public:
  struct Found {
    uint32_t value;
    size_t n_bytes;
  };

  /// Of two equal texts the first counts; an empty one is never found.
  void insert(std::string_view text, uint32_t value);
  std::optional<Found> longest(std::string_view text, size_t at) const;

 private:
  static constexpr uint32_t kNone = ~0u;
  struct Node {
    uint32_t value = kNone;
    uint32_t first_child = kNone;
    uint32_t next_sibling = kNone;
    unsigned char byte = 0;
  };

  uint32_t child(uint32_t parent, unsigned char byte) const;

  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::array<uint32_t, 256> roots_ = filled_with_none();  // the first byte decides almost always

  static std::array<uint32_t, 256> filled_with_none() {
    std::array<uint32_t, 256> array;
    array.fill(kNone);
    return array;
  }
};

class AddedTokens {
 public:
  /// Reads root's "added_tokens". `pieces` are the model's, with which the ids must agree.
  static Result<AddedTokens> read(const JsonObject& root, const Normalizer& normalizer,
                                  const Vocabulary& pieces);

  /// A part of a text: an added token, or text between them.
  struct Segment {
    size_t begin, end;
    std::optional<uint32_t> id;
  };
  enum class Pass { raw, normalized };
  std::vector<Segment> split(std::string_view text, Pass pass) const;

  bool is_special(uint32_t id) const { return id < special_.size() && special_[id]; }
  /// The pieces that the model does not have.
  const Vocabulary& own_pieces() const { return own_pieces_; }

 private:
  Result<void> add(const JsonObject& fields, const Vocabulary& pieces);
  bool is_whole_word(const AddedToken& token, std::string_view text, size_t begin,
                     size_t end) const;

  std::vector<AddedToken> tokens_;  // special ones first: they win a tie
  TextTrie raw_, normalized_;       // values are indices of tokens_
  Flags special_;                   // by id
  Vocabulary own_pieces_;
};

}  // namespace handloom::tokenizer
