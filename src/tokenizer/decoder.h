// The `decoder` of tokenizer.json: turns pieces back into text. Its steps are defined over the list
// of all pieces; here they run on one piece at a time, each holding back only what a later piece
// can still change, so that text streams out and a text of n tokens costs O(n).
//
// From some step on (Fuse, ByteLevel) the list is one long piece. Steps after that get the piece in
// chunks if they can work so, else a Hold before them gathers it until the end.
#pragma once

#include "base/json.h"
#include "tokenizer/metaspace.h"
#include "tokenizer/pattern.h"
#include "tokenizer/utf8.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace handloom::tokenizer {

struct Step;
class Decoder;

/// Where a step sends what it makes: to the next step, after the last one to the output.
class Emit {
 public:
  Emit(Decoder& decoder, size_t next, std::string& out)
      : decoder_(decoder), next_(next), out_(out) {}
  Result<void> operator()(std::string_view piece) const;
  /// The most bytes that one piece may become.
  size_t limit() const;

 private:
  Decoder& decoder_;
  size_t next_;
  std::string& out_;
};

namespace decode {

// Every step has push(piece, emit), called with each piece or chunk, and finish(emit), called at
// the end, which leaves the step ready for another text.

/// No decoder at all: pieces are joined by spaces.
struct Join {
  bool is_first = true;
  Result<void> push(std::string_view piece, const Emit& emit);
  Result<void> finish(const Emit&);
};

struct Replace {
  Pattern pattern;
  std::string content;
  Result<void> push(std::string_view piece, const Emit& emit);
  Result<void> finish(const Emit&) { return {}; }
};

/// Replace of a literal in a piece that comes in chunks.
struct ReplaceInChunks {
  std::string literal, content;
  std::string held = {};  // less than a literal that may have begun
  Result<void> push(std::string_view chunk, const Emit& emit);
  Result<void> finish(const Emit& emit);
};

/// Runs of "<0xE2>" become the text they spell; a run that is not UTF-8 becomes one U+FFFD per
/// byte, which is why a run must end before its text is certain.
struct ByteFallback {
  std::string run = {};
  size_t n_checked = 0;    // bytes of `run` that are whole characters
  bool is_broken = false;  // the run is known not to be UTF-8 and has been emitted so far
  Result<void> push(std::string_view piece, const Emit& emit);
  Result<void> finish(const Emit& emit);

 private:
  Result<void> push_byte(char byte, const Emit& emit);
};

struct Fuse {
  Result<void> push(std::string_view piece, const Emit& emit) { return emit(piece); }
  Result<void> finish(const Emit&) { return {}; }
};

/// Cuts up to `start` of `content` from the front of each piece and up to `stop` from its back.
struct Strip {
  std::string content;  // one character
  uint32_t start, stop;
  Result<void> push(std::string_view piece, const Emit& emit);
  Result<void> finish(const Emit&) { return {}; }
};

struct StripInChunks {
  std::string content;
  uint32_t start, stop;
  uint32_t n_cut = 0;    // of `start`
  bool in_text = false;  // past the front
  uint32_t n_held = 0;   // of `content` that `stop` may cut
  Result<void> push(std::string_view chunk, const Emit& emit);
  Result<void> finish(const Emit&);
};

struct Metaspace {
  std::string replacement;  // one character
  bool drops_first;         // the first piece loses its replacements instead of getting spaces
  bool is_first = true;
  Result<void> push(std::string_view piece, const Emit& emit);
  Result<void> finish(const Emit&);
};

struct ByteLevel {
  LossyUtf8 bytes = {};
  Result<void> push(std::string_view piece, const Emit& emit);
  Result<void> finish(const Emit& emit);
};

/// The suffix becomes a space, in the last piece nothing.
struct BpeSuffix {
  Pattern suffix;
  std::string held = {};
  bool has_held = false;
  Result<void> push(std::string_view piece, const Emit& emit);
  Result<void> finish(const Emit& emit);
};

struct WordPiece {
  std::string prefix;
  bool cleanup;
  bool is_first = true;
  Result<void> push(std::string_view piece, const Emit& emit);
  Result<void> finish(const Emit&);
};

/// Gathers the chunks of a piece.
struct Hold {
  std::string held = {};
  Result<void> push(std::string_view chunk, const Emit& emit);
  Result<void> finish(const Emit& emit);
};

using Operation = std::variant<Join, Replace, ReplaceInChunks, ByteFallback, Fuse, Strip,
                               StripInChunks, Metaspace, ByteLevel, BpeSuffix, WordPiece, Hold>;

}  // namespace decode

/// One text being decoded. A copy of a Decoder that has seen nothing is another text.
class Decoder {
 public:
  /// Reads root's "decoder".
  static Result<Decoder> read(const JsonObject& root);

  /// Appends to `out` the text that `piece` makes certain: whole characters of valid UTF-8.
  Result<void> push(std::string_view piece, std::string& out);
  /// Appends what was held back; then ready for another text.
  Result<void> finish(std::string& out);

 private:
  friend class Emit;
  Result<void> append_step(const Step& step, bool& in_chunks);
  Result<void> push_to(size_t step, std::string_view piece, std::string& out);

  std::vector<decode::Operation> steps_;
  size_t n_bytes_ = 0;  // of the pieces so far
};

}  // namespace handloom::tokenizer
