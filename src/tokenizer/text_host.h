// What the tokenizer needs to know of Unicode and of regular expressions, and nothing else:
// natively utf8proc and PCRE2 (text_host_native.cpp), in a browser String.normalize and RegExp. All
// text here is valid UTF-8 and all offsets are in bytes.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::tokenizer {

enum class NormalForm { nfc, nfd, nfkc, nfkd };

Result<std::string> normalize(std::string_view text, NormalForm form);

/// Each character's full lower-case mapping, without regard to its neighbours.
std::string lowercase(std::string_view text);

bool is_white_space(char32_t code);  // property White_Space
bool is_punctuation(char32_t code);  // ASCII punctuation and symbols, and general category P
bool is_number(char32_t code);       // general category N
bool is_mark(char32_t code);         // general category M
bool is_word(char32_t code);         // Alphabetic, M, Nd, Pc, and the two joiners

struct Match {
  size_t begin, end;
};

/// A compiled regular expression; immutable, cheap to copy, usable from several threads.
class Regex {
 public:
  /// `pattern` is in the common dialect of regex_dialect.h; lines end in \n, and ^ and $ match at
  /// each of them. Errors name the pattern as `shown` and give the host's reason.
  static Result<Regex> compile(std::string_view pattern, std::string_view shown,
                               std::string_view where);

  /// All matches from left to right. An empty match right after the last one does not count; the
  /// search then goes on at the next character. An error if the host gives up on the pattern.
  Result<std::vector<Match>> find_all(std::string_view text) const;

 private:
  struct Compiled;
  explicit Regex(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace handloom::tokenizer
