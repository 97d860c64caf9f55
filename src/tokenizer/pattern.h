// The `pattern` of tokenizer.json's Replace and Split: {"String": "..."} or {"Regex": "..."}, and
// what can be done with its matches.
#pragma once

#include "base/json.h"
#include "tokenizer/text_host.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::tokenizer {

class Pattern {
 public:
  /// Reads `object`'s "pattern".
  static Result<Pattern> read(const JsonObject& object);
  static Result<Pattern> from_regex(std::string_view regex, std::string_view where);
  static Pattern from_literal(std::string text) { return Pattern(std::move(text), std::nullopt); }

  /// The text itself if the pattern is one, which is never empty.
  const std::string* literal() const { return regex_ ? nullptr : &literal_; }

  /// From left to right, without overlaps.
  Result<std::vector<Match>> find_all(std::string_view text) const;

 private:
  Pattern(std::string literal, std::optional<Regex> regex)
      : literal_(std::move(literal)), regex_(std::move(regex)) {}

  std::string literal_;
  std::optional<Regex> regex_;
};

/// The most bytes that a text of `n_bytes` may become on its way through all steps. Only hostile
/// files ask for more: a few steps that each double the text would otherwise exhaust the memory.
constexpr size_t growth_limit(size_t n_bytes) { return std::max(size_t{1} << 20, 64 * n_bytes); }

/// An error if `n_bytes` is more than `limit`.
Result<void> check_growth(size_t n_bytes, size_t limit);

/// `text` with each match replaced by `content`, which is taken literally ($1 has no meaning).
/// An error if the result would be longer than `limit`.
Result<std::string> replace_all(std::string_view text, const Pattern& pattern,
                                std::string_view content, size_t limit);

/// What becomes of the matches when a text is split at them.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

/// Reads `object`'s "behavior"; `absent` stands in for a missing one.
Result<SplitBehavior> read_behavior(const JsonObject& object, std::optional<SplitBehavior> absent);

/// The non-empty parts that `behavior` makes of a text of `n_bytes` with these matches.
std::vector<Match> split_at(const std::vector<Match>& matches, size_t n_bytes,
                            SplitBehavior behavior, bool invert = false);

}  // namespace handloom::tokenizer
