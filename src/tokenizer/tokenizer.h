// Text to token ids and back, as tokenizer.json says: added tokens, normalizer, pre-tokenizer, BPE
// model, post-processor, decoder.
//
// What is not supported (other models, Precompiled, BertNormalizer, ...) is refused by name when
// the file is read. `truncation` and `padding` are ignored: whoever asks for ids decides on their
// number.
#pragma once

#include "base/plain_vocabulary.h"
#include "base/result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::tokenizer {

struct EncodeOptions {
  /// Run the post-processor, which adds BOS and the like.
  bool add_specials = true;
};

/// Immutable, and cheap to copy: copies share what was read. Usable from several threads.
class Tokenizer {
 public:
  Tokenizer(const Tokenizer&);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(const Tokenizer&);
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// `where`, usually the file's path, begins each error.
  static Result<Tokenizer> parse(std::string_view tokenizer_json, std::string where);
  static Result<Tokenizer> load(const std::string& path);
  /// Of the lists that a GGUF file carries; of its tokenizer.json, if it has one.
  static Result<Tokenizer> from_vocabulary(const PlainVocabulary& vocabulary, std::string where);

  /// `text` must be valid UTF-8 of at most 1 GiB. Added tokens in it, special ones too, become
  /// their ids: text that must not be able to say "<|im_end|>" has to be checked by the caller.
  Result<std::vector<uint32_t>> encode(std::string_view text, EncodeOptions options = {}) const;

  /// Valid UTF-8: bytes that spell no character become U+FFFD. An id that has no piece is an error.
  Result<std::string> decode(std::span<const uint32_t> ids, bool skip_specials = false) const;

  /// As in the vocabulary; empty if there is no such id.
  std::string_view piece(uint32_t id) const;
  bool has_id(uint32_t id) const;
  std::optional<uint32_t> id_of(std::string_view piece) const;
  bool is_special(uint32_t id) const;
  /// 1 + the largest id, added tokens included.
  uint32_t vocab_size() const;

 private:
  friend class StreamDecoder;
  struct Parts;
  explicit Tokenizer(std::shared_ptr<const Parts> parts);
  std::shared_ptr<const Parts> parts_;
};

/// Tokens in, text out as soon as it is certain and never half a character. What push() and
/// finish() answer, put together, is what decode() answers for all the ids. A push costs O(piece).
///
/// Text may stay behind for a while where the decoder's own rules make it uncertain: in a run of
/// <0x..> byte tokens, for one bad byte turns the whole run into U+FFFD; and until the end after a
/// Fuse followed by a regular expression.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_specials = true);
  StreamDecoder(StreamDecoder&&) noexcept;
  StreamDecoder& operator=(StreamDecoder&&) noexcept;
  ~StreamDecoder();

  /// An error for an id that has no piece; the text so far is not lost.
  Result<std::string> push(uint32_t id);
  /// What was held back, an unfinished character as U+FFFD; then ready for another text.
  Result<std::string> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace handloom::tokenizer
