// The page's String.normalize, toLowerCase and RegExp.
#include "base/web_host.h"
#include "tokenizer/text_host.h"

#include <algorithm>

namespace handloom::tokenizer {
namespace {

enum : uint32_t { kWhiteSpace = 1, kPunctuation = 2, kNumber = 4, kMark = 8, kWord = 16 };

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0; });
}

}  // namespace

Result<std::string> normalize(std::string_view text, NormalForm form) {
  if (is_ascii(text)) return std::string(text);
  return web::take_block(
      web::host_normalize(text.data(), text.size(), static_cast<uint32_t>(form)));
}

std::string lowercase(std::string_view text) {
  return web::take_block(web::host_lowercase(text.data(), text.size()));
}

bool is_white_space(char32_t code) { return (web::host_classes(code) & kWhiteSpace) != 0; }

bool is_punctuation(char32_t code) {
  if (code < 0x80) {
    return code > 0x20 && code < 0x7f && !(code >= '0' && code <= '9') &&
           !((code | 0x20) >= 'a' && (code | 0x20) <= 'z');
  }
  return (web::host_classes(code) & kPunctuation) != 0;
}

bool is_number(char32_t code) { return (web::host_classes(code) & kNumber) != 0; }

bool is_mark(char32_t code) { return (web::host_classes(code) & kMark) != 0; }

bool is_word(char32_t code) {
  return code == 0x200c || code == 0x200d || (web::host_classes(code) & kWord) != 0;
}

struct Regex::Compiled {
  Compiled(uint32_t id_) : id(id_) {}
  Compiled(const Compiled&) = delete;
  ~Compiled() { web::host_regex_free(id); }

  uint32_t id;
};

Result<Regex> Regex::compile(std::string_view pattern, std::string_view shown,
                             std::string_view where) {
  const uint32_t id = web::host_regex_compile(pattern.data(), pattern.size());
  if (id == 0) {
    return fail(ErrorCode::bad_format, "{}: the pattern '{}' is not a regular expression: {}",
                where, shown, web::take_block(web::host_regex_error()));
  }
  return Regex(std::make_shared<const Compiled>(id));
}

Result<std::vector<Match>> Regex::find_all(std::string_view text) const {
  const std::string found =
      web::take_block(web::host_regex_find_all(compiled_->id, text.data(), text.size()));
  std::vector<uint32_t> ends(found.size() / sizeof(uint32_t));
  std::memcpy(ends.data(), found.data(), found.size());
  std::vector<Match> matches;
  for (size_t i = 0; i + 1 < ends.size(); i += 2) matches.push_back({ends[i], ends[i + 1]});
  return matches;
}

}  // namespace handloom::tokenizer
