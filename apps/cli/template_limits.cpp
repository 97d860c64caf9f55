#include "template_limits.h"

#include "failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string>

namespace cli {
namespace {

constexpr size_t kMaxBytes = 128 * 1024;   // the longest published ones have 20 KiB
constexpr size_t kMaxRunBytes = 2000;      // of a word, of white space, of a comment's inside
constexpr size_t kMaxBracketDepth = 40;    // of ( [ { in one tag
constexpr size_t kMaxBlockDepth = 40;      // of {% if %}, {% for %} and the like
constexpr size_t kMaxSymbolsPerTag = 300;  // each may be one more level of the expression's tree

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

class Scanner {
 public:
  explicit Scanner(std::string_view source) : in_(source) {}

  void run() {
    if (in_.size() > kMaxBytes) fail("has {} bytes, expected at most {}", in_.size(), kMaxBytes);
    check_runs();
    while (at_ < in_.size()) {
      if (starts("{#")) {
        comment();
      } else if (starts("{{")) {
        tag("}}", false);
      } else if (starts("{%")) {
        tag("%}", true);
      } else {
        ++at_;
      }
    }
  }

 private:
  bool starts(std::string_view text) const { return in_.substr(at_).starts_with(text); }

  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) const {
    const std::string_view before = in_.substr(0, at_);
    const size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
    throw Failure(fmt::format(
        "chat template: {} at row {}, column {}", fmt::format(text, std::forward<Args>(args)...),
        std::count(before.begin(), before.end(), '\n') + 1, at_ - line_begin + 1));
  }

  /// Runs of one kind of character, each of which std::regex matches by recursion.
  void check_runs() {
    size_t n = 0;
    for (size_t i = 0; i < in_.size(); ++i) {
      const bool same = i > 0 && is_word(in_[i]) == is_word(in_[i - 1]) &&
                        is_space(in_[i]) == is_space(in_[i - 1]);
      n = same && (is_word(in_[i]) || is_space(in_[i])) ? n + 1 : 1;
      if (n <= kMaxRunBytes) continue;
      at_ = i;
      fail("has more than {} {} in a row", kMaxRunBytes, is_word(in_[i]) ? "letters" : "spaces");
    }
  }

  void comment() {
    const size_t end = in_.find("#}", at_ + 2);
    // One that does not end is minja's to name; it looks no further than the same regex would.
    const size_t n = std::min(end, in_.size()) - at_;
    if (n > kMaxRunBytes) fail("has a comment of {} bytes, expected at most {}", n, kMaxRunBytes);
    at_ = end == in_.npos ? in_.size() : end + 2;
  }

  /// From "{{" or "{%" to its end. What is not well-formed here is left to minja.
  void tag(std::string_view close, bool is_block) {
    at_ += 2;
    if (is_block) block_keyword();
    size_t depth = 0, n_symbols = 0;
    while (at_ < in_.size() && !(depth == 0 && starts(close))) {
      const char c = in_[at_];
      if (c == '\'' || c == '"') {
        skip_string(c);
        continue;
      }
      if (c == '(' || c == '[' || c == '{') ++depth;
      if ((c == ')' || c == ']' || c == '}') && depth > 0) --depth;
      if (depth > kMaxBracketDepth) {
        fail("nests brackets deeper than {}", kMaxBracketDepth);
      }
      // The first letter of a word, or any other visible character.
      const bool is_symbol = is_word(c) ? !is_word(in_[at_ - 1]) : !is_space(c);
      if (is_symbol && ++n_symbols > kMaxSymbolsPerTag) {
        fail("has a tag of more than {} words and signs", kMaxSymbolsPerTag);
      }
      ++at_;
    }
    at_ = std::min(in_.size(), at_ + 2);
  }

  void skip_string(char quote) {
    for (++at_; at_ < in_.size() && in_[at_] != quote; ++at_) {
      if (in_[at_] == '\\') ++at_;
    }
    at_ = std::min(in_.size(), at_ + 1);
  }

  void block_keyword() {
    size_t begin = at_;
    while (begin < in_.size() && (is_space(in_[begin]) || in_[begin] == '-' || in_[begin] == '~')) {
      ++begin;
    }
    size_t end = begin;
    while (end < in_.size() && is_word(in_[end])) ++end;
    const std::string_view word = in_.substr(begin, end - begin);
    if (word.starts_with("end")) {
      if (n_blocks_ > 0) --n_blocks_;
    } else if (word == "if" || word == "for" || word == "macro" || word == "call" ||
               word == "filter" || word == "generation") {
      if (++n_blocks_ > kMaxBlockDepth) fail("nests blocks deeper than {}", kMaxBlockDepth);
    }
  }

  std::string_view in_;
  size_t at_ = 0;
  size_t n_blocks_ = 0;
};

}  // namespace

void check_template_limits(std::string_view source) { Scanner(source).run(); }

}  // namespace cli
