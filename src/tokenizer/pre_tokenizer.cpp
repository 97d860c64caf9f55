#include "tokenizer/pre_tokenizer.h"

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/section.h"
#include "tokenizer/utf8.h"

#include <utility>

namespace handloom::tokenizer {
namespace {

/// Splits each word again: `divide(word)` answers the parts of one word, relative to it.
template <class Divide>
Result<Words> divide_each(Words words, Divide divide) {
  std::vector<Match> parts;
  parts.reserve(words.parts.size());
  for (size_t i = 0; i < words.parts.size(); ++i) {
    const size_t begin = words.parts[i].begin;
    TRY(const std::vector<Match>& inside, divide(words.part(i)));
    for (const Match& part : inside) parts.push_back({begin + part.begin, begin + part.end});
  }
  words.parts = std::move(parts);
  return words;
}

/// Rewrites each word: `rewrite(word, is_first, out)` appends what it becomes.
template <class Rewrite>
Result<Words> rewrite_each(const Words& words, Rewrite rewrite) {
  Words out;
  out.text.reserve(words.text.size() + words.text.size() / 4);
  out.parts.reserve(words.parts.size());
  out.at_start = words.at_start && !words.parts.empty() && words.parts[0].begin == 0;
  for (size_t i = 0; i < words.parts.size(); ++i) {
    const size_t begin = out.text.size();
    rewrite(words.part(i), words.at_start && words.parts[i].begin == 0, out.text);
    out.parts.push_back({begin, out.text.size()});
  }
  return out;
}

}  // namespace

Result<PreTokenizer> PreTokenizer::read(const JsonObject& root) {
  TRY(const std::vector<Step>& steps, read_steps(root, "pre_tokenizer", "pretokenizers"));
  PreTokenizer pre_tokenizer;
  for (const Step& step : steps) {
    TRY(Operation operation, read_step(step));
    pre_tokenizer.steps_.push_back(std::move(operation));
  }
  return pre_tokenizer;
}

Result<PreTokenizer::Operation> PreTokenizer::read_step(const Step& step) {
  if (step.type == "ByteLevel") return read_byte_level(step.fields);
  if (step.type == "Split") return read_split(step.fields);
  if (step.type == "Metaspace") return read_metaspace(step.fields);
  if (step.type == "Digits") {
    TRY(const auto individual, step.fields.find_bool("individual_digits"));
    return SplitAtCharacters{is_number, individual.value_or(false) ? SplitBehavior::isolated
                                                                   : SplitBehavior::contiguous};
  }
  if (step.type == "Punctuation") {
    TRY(const SplitBehavior behavior, read_behavior(step.fields, SplitBehavior::isolated));
    return SplitAtCharacters{is_punctuation, behavior};
  }
  if (step.type == "WhitespaceSplit") {
    return SplitAtCharacters{is_white_space, SplitBehavior::removed};
  }
  if (step.type == "Whitespace") {
    TRY(Pattern words, Pattern::from_regex(R"(\w+|[^\w\s]+)", step.fields.where()));
    return Split{std::move(words), SplitBehavior::removed, true};
  }
  return unsupported_type(
      step,
      "ByteLevel, Split, Metaspace, Digits, Punctuation, Whitespace, WhitespaceSplit, Sequence");
}

Result<PreTokenizer::Operation> PreTokenizer::read_byte_level(const JsonObject& fields) {
  TRY(const auto add_prefix_space, fields.find_bool("add_prefix_space"));
  TRY(const auto use_regex, fields.find_bool("use_regex"));
  ByteLevel step{add_prefix_space.value_or(true), std::nullopt};
  if (use_regex.value_or(true)) {
    TRY(step.pattern, Pattern::from_regex(kByteLevelPattern, fields.where()));
  }
  return step;
}

Result<PreTokenizer::Operation> PreTokenizer::read_split(const JsonObject& fields) {
  TRY(Pattern pattern, Pattern::read(fields));
  TRY(const SplitBehavior behavior, read_behavior(fields, std::nullopt));
  TRY(const auto invert, fields.find_bool("invert"));
  return Split{std::move(pattern), behavior, invert.value_or(false)};
}

Result<PreTokenizer::Operation> PreTokenizer::read_metaspace(const JsonObject& fields) {
  TRY(std::string replacement, get_character(fields, "replacement"));
  TRY(const PrependScheme scheme, read_prepend_scheme(fields));
  TRY(const auto split, fields.find_bool("split"));
  return Metaspace{Pattern::from_literal(std::move(replacement)), scheme, split.value_or(true)};
}

Result<Words> PreTokenizer::split(std::string text, bool at_start) const {
  const size_t limit = growth_limit(text.size());
  Words words{std::move(text), {}, at_start};
  if (!words.text.empty()) words.parts.push_back({0, words.text.size()});
  for (const Operation& operation : steps_) {
    TRY(words,
        std::visit([&](const auto& step) { return run(step, std::move(words)); }, operation));
    CHECK_OK(check_growth(words.text.size(), limit));
  }
  return words;
}

Result<Words> PreTokenizer::run(const ByteLevel& step, Words words) {
  if (step.add_prefix_space) {
    TRY(words, rewrite_each(words, [](std::string_view word, bool, std::string& out) {
          if (!word.starts_with(' ')) out += ' ';
          out += word;
        }));
  }
  if (step.pattern) {
    const Split by_pattern{*step.pattern, SplitBehavior::isolated, false};
    TRY(words, run(by_pattern, std::move(words)));
  }
  return rewrite_each(words, [](std::string_view word, bool, std::string& out) {
    append_spelled_bytes(word, out);
  });
}

Result<Words> PreTokenizer::run(const Split& step, Words words) {
  return divide_each(std::move(words), [&](std::string_view word) -> Result<std::vector<Match>> {
    TRY(const std::vector<Match>& matches, step.pattern.find_all(word));
    return split_at(matches, word.size(), step.behavior, step.invert);
  });
}

Result<Words> PreTokenizer::run(const Metaspace& step, Words words) {
  const std::string& mark = *step.replacement.literal();
  TRY(words, rewrite_each(words, [&](std::string_view word, bool is_first, std::string& out) {
        const bool wanted = step.scheme == PrependScheme::always ||
                            (step.scheme == PrependScheme::first && is_first);
        if (wanted && !word.starts_with(mark) && !word.starts_with(' ')) out += mark;
        for (const char c : word) {
          if (c == ' ') {
            out += mark;
          } else {
            out += c;
          }
        }
      }));
  if (!step.split) return words;
  const Split at_marks{step.replacement, SplitBehavior::merged_with_next, false};
  return run(at_marks, std::move(words));
}

Result<Words> PreTokenizer::run(const SplitAtCharacters& step, Words words) {
  return divide_each(std::move(words), [&](std::string_view word) -> Result<std::vector<Match>> {
    std::vector<Match> matches;
    for (size_t i = 0; i < word.size();) {
      const Character c = character_at(word, i);
      if (step.has_property(c.code)) matches.push_back({i, i + c.n_bytes});
      i += c.n_bytes;
    }
    return split_at(matches, word.size(), step.behavior);
  });
}

}  // namespace handloom::tokenizer
