#include "tokenizer/regex_dialect.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

namespace handloom::tokenizer {
namespace {

constexpr std::string_view kWord = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";
constexpr std::string_view kHex = "0-9A-Fa-f";
constexpr int kMaxClassDepth = 50;

// Names that are not scripts, without case, spaces, '_' and '-'.
constexpr std::array<std::string_view, 38> kCategories = {
    "l",  "lu", "ll", "lt", "lm", "lo", "lc", "m",  "mn", "mc", "me", "n",  "nd",
    "nl", "no", "p",  "pc", "pd", "ps", "pe", "pi", "pf", "po", "s",  "sm", "sc",
    "sk", "so", "z",  "zs", "zl", "zp", "c",  "cc", "cf", "cs", "co", "cn"};
constexpr std::array<std::string_view, 18> kBinary = {"any",           "alphabetic",
                                                      "whitespace",    "uppercase",
                                                      "lowercase",     "ascii",
                                                      "hexdigit",      "asciihexdigit",
                                                      "ideographic",   "unifiedideograph",
                                                      "emoji",         "emojipresentation",
                                                      "emojimodifier", "extendedpictographic",
                                                      "joincontrol",   "idstart",
                                                      "idcontinue",    "dash"};
struct Renamed {
  std::string_view from, to;
};
// Oniguruma's POSIX and long names for what the hosts call otherwise.
constexpr std::array<Renamed, 15> kRenamed = {{{"alpha", "Alphabetic"},
                                               {"digit", "Nd"},
                                               {"space", "White_Space"},
                                               {"upper", "Uppercase"},
                                               {"lower", "Lowercase"},
                                               {"punct", "P"},
                                               {"xdigit", "ASCII_Hex_Digit"},
                                               {"letter", "L"},
                                               {"uppercaseletter", "Lu"},
                                               {"lowercaseletter", "Ll"},
                                               {"mark", "M"},
                                               {"number", "N"},
                                               {"decimalnumber", "Nd"},
                                               {"punctuation", "P"},
                                               {"symbol", "S"}}};

template <size_t n>
bool contains(const std::array<std::string_view, n>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string property(std::string_view name, bool negated) {
  std::string key;
  for (const char c : name) {
    if (c != ' ' && c != '_' && c != '-') {
      key += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  const char letter = negated ? 'P' : 'p';
  for (const Renamed& renamed : kRenamed) {
    if (renamed.from == key) return fmt::format("\\{}{{{}}}", letter, renamed.to);
  }
  const bool as_is = contains(kCategories, key) || contains(kBinary, key) ||
                     name.find_first_of("=:&*") != std::string_view::npos;
  return fmt::format("\\{}{{{}{}}}", letter, as_is ? "" : "sc=", name);
}

class Rewriter {
 public:
  Rewriter(std::string_view pattern, std::string_view where) : in_(pattern), where_(where) {}

  Result<std::string> run() {
    std::string out;
    while (at_ < in_.size()) {
      if (starts("\\")) {
        out += escape_outside();
      } else if (starts("[")) {
        TRY(const std::string& one, char_class(0));
        out += one;
      } else if (starts("(?#")) {
        at_ = std::min(in_.find(')', at_), in_.size() - 1) + 1;
      } else if (starts("(?")) {
        out += options();
      } else if (starts("{,") && at_ + 2 < in_.size() && in_[at_ + 2] != '}') {
        out += "{0,";
        at_ += 2;
      } else {
        out += in_[at_++];
      }
    }
    return out;
  }

 private:
  /// A class as the pieces of one union: the inside of brackets, and fragments that each match one
  /// character but cannot stand inside brackets.
  struct Union {
    std::string set;
    std::vector<std::string> fragments;
  };

  bool starts(std::string_view with) const { return in_.substr(at_).starts_with(with); }

  std::unexpected<Error> wrong(std::string_view what) const {
    return fail(ErrorCode::bad_format, "{}: the pattern '{}' {}", where_, in_, what);
  }

  /// "(?" and its option letters, of which m is dot-matches-all here and s there.
  std::string options() {
    std::string out = "(?";
    at_ += 2;
    size_t end = at_;
    while (end < in_.size() && std::string_view("imx-").find(in_[end]) != std::string_view::npos) {
      ++end;
    }
    if (end == in_.size() || (in_[end] != ':' && in_[end] != ')')) return out;
    for (; at_ < end; ++at_) out += in_[at_] == 'm' ? 's' : in_[at_];
    return out;
  }

  std::string escape_outside() {
    Union one;
    if (escape(one)) {
      // A lone property needs no brackets, and the hosts' compilers know it better without.
      const bool lone = one.set.starts_with('\\') && std::ranges::count(one.set, '\\') == 1;
      return lone ? one.set : fragment_of(one);
    }
    // \Q quotes in the hosts and is a plain Q here.
    if (starts("\\Q") || starts("\\E")) ++at_;
    const size_t n = at_ + 1 < in_.size() && in_[at_] == '\\' ? 2 : 1;
    at_ += n;
    return std::string(in_.substr(at_ - n, n));
  }

  /// Reads one escape that stands for characters into `into`; false leaves it to the caller.
  bool escape(Union& into) {
    if (at_ + 1 >= in_.size()) return false;
    switch (in_[at_ + 1]) {
      case 'w': into.set += kWord; break;
      case 'W': into.fragments.push_back(fmt::format("[^{}]", kWord)); break;
      case 's': into.set += property("White_Space", false); break;
      case 'S': into.set += property("White_Space", true); break;
      case 'd': into.set += property("Nd", false); break;
      case 'D': into.set += property("Nd", true); break;
      case 'h': into.set += kHex; break;
      case 'H': into.fragments.push_back(fmt::format("[^{}]", kHex)); break;
      case 'u': return hex_escape(into);
      case 'p':
      case 'P': return property_escape(into);
      default: return false;
    }
    at_ += 2;
    return true;
  }

  bool hex_escape(Union& into) {
    const std::string_view digits = in_.substr(at_ + 2, 4);
    if (digits.size() != 4 || digits.find_first_not_of("0123456789abcdefABCDEF") != digits.npos) {
      return false;
    }
    into.set += fmt::format("\\x{{{}}}", digits);
    at_ += 6;
    return true;
  }

  bool property_escape(Union& into) {
    const size_t end = in_.find('}', at_);
    if (end == in_.npos || in_.substr(at_ + 2, 1) != "{") return false;
    std::string_view name = in_.substr(at_ + 3, end - at_ - 3);
    bool negated = in_[at_ + 1] == 'P';
    if (name.starts_with('^')) {
      negated = !negated;
      name.remove_prefix(1);
    }
    into.set += property(name, negated);
    at_ = end + 1;
    return true;
  }

  static std::string fragment_of(const Union& one) {
    if (one.fragments.empty()) return fmt::format("[{}]", one.set);
    if (one.set.empty() && one.fragments.size() == 1) return one.fragments.front();
    const std::string set = one.set.empty() ? "" : fmt::format("[{}]|", one.set);
    return fmt::format("(?:{}{})", set, fmt::join(one.fragments, "|"));
  }

  /// Reads a class from its '[' and returns a fragment that matches one character.
  Result<std::string> char_class(int depth) {
    if (depth > kMaxClassDepth) return wrong("nests its classes too deeply");
    ++at_;
    const bool negated = starts("^");
    if (negated) ++at_;
    std::vector<Union> operands(1);
    if (starts("]")) {
      operands.back().set = "\\]";
      ++at_;
    }
    while (true) {
      if (at_ >= in_.size()) return wrong("has a class that does not end; add ']'");
      if (starts("]")) break;
      if (starts("&&")) {
        at_ += 2;
        operands.emplace_back();
      } else {
        CHECK_OK(class_item(operands.back(), depth));
      }
    }
    ++at_;
    return joined(operands, negated);
  }

  Result<void> class_item(Union& into, int depth) {
    const size_t posix_end = starts("[:") ? in_.find(":]", at_) : in_.npos;
    if (posix_end != in_.npos) {
      into.set += in_.substr(at_, posix_end + 2 - at_);
      at_ = posix_end + 2;
    } else if (starts("[")) {
      TRY(into.fragments.emplace_back(), char_class(depth + 1));
    } else if (starts("\\")) {
      if (escape(into)) return {};
      into.set += in_.substr(at_, 2);
      at_ += 2;
    } else {
      into.set += in_[at_++];
    }
    return {};
  }

  Result<std::string> joined(const std::vector<Union>& operands, bool negated) const {
    const bool empty = std::any_of(operands.begin(), operands.end(), [](const Union& one) {
      return one.set.empty() && one.fragments.empty();
    });
    if (empty) return wrong("has an empty class");
    if (operands.size() == 1 && operands[0].fragments.empty()) {
      return fmt::format("[{}{}]", negated ? "^" : "", operands[0].set);
    }
    std::string out = fragment_of(operands[0]);
    for (size_t i = 1; i < operands.size(); ++i) {
      out = fmt::format("(?:(?={}){})", out, fragment_of(operands[i]));
    }
    if (negated) out = fmt::format("(?:(?!{})\\p{{Any}})", out);
    return out;
  }

  std::string_view in_;
  std::string_view where_;
  size_t at_ = 0;
};

}  // namespace

Result<std::string> common_dialect(std::string_view pattern, std::string_view where) {
  return Rewriter(pattern, where).run();
}

}  // namespace handloom::tokenizer
