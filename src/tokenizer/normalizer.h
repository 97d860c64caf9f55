// The `normalizer` of tokenizer.json: what happens to text before it is split.
#pragma once

#include "base/json.h"
#include "tokenizer/pattern.h"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace handloom::tokenizer {

struct Step;

class Normalizer {
 public:
  /// Reads root's "normalizer"; null means none.
  static Result<Normalizer> read(const JsonObject& root);

  bool empty() const { return steps_.empty(); }
  /// `text` must be valid UTF-8, and so is the result.
  Result<std::string> apply(std::string_view text) const;

 private:
  struct Lowercase {};
  struct StripAccents {};  // removes marks (category M); does not decompose first
  struct SpellBytes {};    // type ByteLevel
  struct Nmt {};
  struct Prepend {
    std::string text;
  };
  struct Replace {
    Pattern pattern;
    std::string content;
  };
  struct Strip {
    bool left, right;
  };
  using Operation =
      std::variant<NormalForm, Lowercase, StripAccents, SpellBytes, Nmt, Prepend, Replace, Strip>;

  static Result<Operation> read_step(const Step& step);

  // `limit` is the most bytes that the text may become.
  static Result<std::string> run(NormalForm form, std::string_view text, size_t limit);
  static Result<std::string> run(Lowercase, std::string_view text, size_t limit);
  static Result<std::string> run(StripAccents, std::string_view text, size_t limit);
  static Result<std::string> run(SpellBytes, std::string_view text, size_t limit);
  static Result<std::string> run(Nmt, std::string_view text, size_t limit);
  static Result<std::string> run(const Prepend& step, std::string_view text, size_t limit);
  static Result<std::string> run(const Replace& step, std::string_view text, size_t limit);
  static Result<std::string> run(Strip sides, std::string_view text, size_t limit);

  std::vector<Operation> steps_;
};

}  // namespace handloom::tokenizer
