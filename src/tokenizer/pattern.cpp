#include "tokenizer/pattern.h"

#include "tokenizer/regex_dialect.h"

#include <algorithm>

namespace handloom::tokenizer {
namespace {

/// A stretch of a text: a match, or what lies between two.
struct Part {
  size_t begin, end;
  bool is_match;
};

/// All parts in order, matched or not. Empty matches are kept: they end the part before them.
std::vector<Part> parts_of(const std::vector<Match>& matches, size_t n_bytes, bool invert) {
  std::vector<Part> parts;
  parts.reserve(2 * matches.size() + 1);
  size_t end = 0;
  for (const Match& match : matches) {
    if (match.begin != end) parts.push_back({end, match.begin, invert});
    parts.push_back({match.begin, match.end, !invert});
    end = match.end;
  }
  if (end != n_bytes) parts.push_back({end, n_bytes, invert});
  return parts;
}

/// Whether `part`, which follows `previous_is_match`, joins its neighbour instead of standing
/// alone.
bool joins(SplitBehavior behavior, const Part& part, bool previous_is_match) {
  switch (behavior) {
    case SplitBehavior::contiguous: return part.is_match == previous_is_match;
    case SplitBehavior::merged_with_previous:
    case SplitBehavior::merged_with_next: return part.is_match && !previous_is_match;
    case SplitBehavior::removed:
    case SplitBehavior::isolated: return false;
  }
  return false;
}

}  // namespace

Result<Pattern> Pattern::read(const JsonObject& object) {
  TRY(const JsonObject& pattern, object.get_object("pattern"));
  TRY(const auto& text, pattern.find_string("String"));
  TRY(const auto& regex, pattern.find_string("Regex"));
  if (text.has_value() == regex.has_value()) {
    return fail(ErrorCode::bad_format, "{}: has {}, expected either 'String' or 'Regex'",
                pattern.where(), text ? "both 'String' and 'Regex'" : "neither");
  }
  // An empty text matches between all characters, which a regular expression does as well.
  if (text && !text->empty()) return from_literal(*text);
  return from_regex(regex.value_or(""), pattern.where());
}

Result<Pattern> Pattern::from_regex(std::string_view regex, std::string_view where) {
  TRY(const std::string& common, common_dialect(regex, where));
  TRY(Regex compiled, Regex::compile(common, regex, where));
  return Pattern("", std::move(compiled));
}

Result<std::vector<Match>> Pattern::find_all(std::string_view text) const {
  if (regex_) return regex_->find_all(text);
  std::vector<Match> matches;
  for (size_t at = text.find(literal_); at != text.npos;
       at = text.find(literal_, at + literal_.size())) {
    matches.push_back({at, at + literal_.size()});
  }
  return matches;
}

Result<void> check_growth(size_t n_bytes, size_t limit) {
  if (n_bytes <= limit) return {};
  return fail(ErrorCode::unsupported,
              "tokenizer: a step makes a text of {} bytes, expected at most {}", n_bytes, limit);
}

Result<std::string> replace_all(std::string_view text, const Pattern& pattern,
                                std::string_view content, size_t limit) {
  TRY(const std::vector<Match>& matches, pattern.find_all(text));
  size_t n_bytes = text.size() + matches.size() * content.size();
  for (const Match& match : matches) n_bytes -= match.end - match.begin;
  CHECK_OK(check_growth(n_bytes, limit));
  std::string out;
  out.reserve(n_bytes);
  size_t end = 0;
  for (const Match& match : matches) {
    out += text.substr(end, match.begin - end);
    out += content;
    end = match.end;
  }
  out += text.substr(end);
  return out;
}

Result<SplitBehavior> read_behavior(const JsonObject& object, std::optional<SplitBehavior> absent) {
  TRY(const auto& name, object.find_string("behavior"));
  if (!name && absent) return *absent;
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  return fail(ErrorCode::bad_format,
              "{}: 'behavior' is '{}', expected Removed, Isolated, MergedWithPrevious, "
              "MergedWithNext or Contiguous",
              object.where(), name.value_or("missing"));
}

std::vector<Match> split_at(const std::vector<Match>& matches, size_t n_bytes,
                            SplitBehavior behavior, bool invert) {
  std::vector<Part> parts = parts_of(matches, n_bytes, invert);
  const bool backwards = behavior == SplitBehavior::merged_with_next;
  if (backwards) std::reverse(parts.begin(), parts.end());

  std::vector<Match> kept;
  kept.reserve(parts.size());
  bool previous_is_match = false;
  for (const Part& part : parts) {
    if (behavior == SplitBehavior::removed && part.is_match) continue;
    if (!kept.empty() && joins(behavior, part, previous_is_match)) {
      kept.back().begin = std::min(kept.back().begin, part.begin);
      kept.back().end = std::max(kept.back().end, part.end);
    } else {
      kept.push_back({part.begin, part.end});
    }
    previous_is_match = part.is_match;
  }
  if (backwards) std::reverse(kept.begin(), kept.end());
  std::erase_if(kept, [](const Match& part) { return part.begin == part.end; });
  return kept;
}

}  // namespace handloom::tokenizer
