// The BPE model of tokenizer.json: a word is cut into characters, and the pair of neighbours whose
// merge comes first in the list is merged until no pair merges (Sennrich, Haddow and Birch, "Neural
// Machine Translation of Rare Words with Subword Units", 2016). Both the byte-level kind and the
// SentencePiece-like kind with byte fallback.
#pragma once

#include "base/json.h"
#include "tokenizer/merge_table.h"
#include "tokenizer/vocabulary.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::tokenizer {

/// Two tokens that merge.
struct TokenPair {
  uint32_t left, right;
  Merge merge;
};

class Bpe {
 public:
  struct Options {
    std::optional<std::string> unk_token;
    bool fuse_unk = false;
    bool byte_fallback = false;
    bool ignore_merges = false;
  };
  /// Of pieces and merges that do not come out of a tokenizer.json. Pairs of equal rank merge from
  /// left to right; `where` begins the errors of encode().
  static Bpe of(const Vocabulary& vocabulary, const std::vector<TokenPair>& pairs, Options options,
                std::string where);

  /// Reads root's "model" and fills `vocabulary` with its pieces.
  static Result<Bpe> read(const JsonObject& root, Vocabulary& vocabulary);

  /// Memory that encoding one word leaves to the next, so that words do not allocate.
  struct Scratch {
    struct Symbol {
      uint32_t token;
      int32_t previous, next;  // -1 at the ends
      bool merged_away;
    };
    struct Candidate {
      uint32_t rank;
      int32_t left;  // the symbol that would absorb its neighbour
      uint32_t token;
    };
    std::vector<Symbol> symbols;
    std::vector<Candidate> queue;  // a heap: lowest rank first, then leftmost
    std::string spelling;
  };

  /// Appends the ids of `word`, valid UTF-8 of less than 2 GiB; O(n log n). `vocabulary` is the one
  /// that read() filled. An error only for a character that needs an unknown token the file lacks.
  Result<void> encode(std::string_view word, const Vocabulary& vocabulary, Scratch& scratch,
                      std::vector<uint32_t>& ids) const;

 private:
  Result<void> read_options(const JsonObject& model);
  Result<void> read_vocabulary(const JsonObject& model, Vocabulary& vocabulary) const;
  Result<void> read_merges(const JsonObject& model, const Vocabulary& vocabulary);
  Result<void> read_merge(const Json& merge, uint32_t rank, const Vocabulary& vocabulary,
                          const std::string& where);
  void index_bytes(const Vocabulary& vocabulary);

  Result<void> cut(std::string_view word, const Vocabulary& vocabulary, Scratch& scratch) const;
  bool append_bytes(std::string_view spelling, Scratch& scratch) const;
  void merge_all(Scratch& scratch) const;
  void push_candidate(int32_t left, Scratch& scratch) const;

  MergeTable merges_;
  std::array<std::optional<uint32_t>, 256> byte_ids_{};  // of "<0x00>" to "<0xFF>"
  std::string where_;
  std::string prefix_;  // continuing_subword_prefix: spelt before all characters but the first
  std::string suffix_;  // end_of_word_suffix: spelt after the last character
  std::optional<std::string> unk_token_;
  std::optional<uint32_t> unk_id_;
  bool fuse_unk_ = false;
  bool byte_fallback_ = false;
  bool ignore_merges_ = false;
};

}  // namespace handloom::tokenizer
