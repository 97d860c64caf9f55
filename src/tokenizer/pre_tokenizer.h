// The `pre_tokenizer` of tokenizer.json: splits normalised text into the words that the model
// encodes one by one.
#pragma once

#include "base/json.h"
#include "tokenizer/metaspace.h"
#include "tokenizer/pattern.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace handloom::tokenizer {

/// A text and the parts of it that are words, in order; what lies between them is dropped.
struct Words {
  std::string text;
  std::vector<Match> parts;
  /// Whether text[0] is the first character of what the caller asked to encode.
  bool at_start = false;

  std::string_view part(size_t i) const {
    return std::string_view(text).substr(parts[i].begin, parts[i].end - parts[i].begin);
  }
};

struct Step;

class PreTokenizer {
 public:
  /// Reads root's "pre_tokenizer"; null means that a text is one word.
  static Result<PreTokenizer> read(const JsonObject& root);

  /// `text` is valid UTF-8 without added tokens. `at_start` as in Words.
  Result<Words> split(std::string text, bool at_start) const;

 private:
  struct ByteLevel {
    bool add_prefix_space;
    std::optional<Pattern> pattern;
  };
  struct Split {
    Pattern pattern;
    SplitBehavior behavior;
    bool invert;
  };
  struct Metaspace {
    Pattern replacement;  // a literal of one character
    PrependScheme scheme;
    bool split;
  };
  /// Splits at single characters that have a property.
  struct SplitAtCharacters {
    bool (*has_property)(char32_t);
    SplitBehavior behavior;
  };
  using Operation = std::variant<ByteLevel, Split, Metaspace, SplitAtCharacters>;

  static Result<Operation> read_step(const Step& step);
  static Result<Operation> read_byte_level(const JsonObject& fields);
  static Result<Operation> read_split(const JsonObject& fields);
  static Result<Operation> read_metaspace(const JsonObject& fields);

  static Result<Words> run(const ByteLevel& step, Words words);
  static Result<Words> run(const Split& step, Words words);
  static Result<Words> run(const Metaspace& step, Words words);
  static Result<Words> run(const SplitAtCharacters& step, Words words);

  std::vector<Operation> steps_;
};

}  // namespace handloom::tokenizer
