#include "tokenizer/text_host.h"

#include "tokenizer/utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>

namespace handloom::tokenizer {
namespace {

// A pattern of a tokenizer takes a few steps per character; one that runs into these is hostile.
constexpr uint32_t kMatchLimit = 10'000'000;
constexpr uint32_t kHeapLimitKib = 256 * 1024;
constexpr size_t kMaxPatternBytes = 64 * 1024;

template <auto free_function>
struct Deleter {
  template <class T>
  void operator()(T* pointer) const {
    free_function(pointer);
  }
};
using Code = std::unique_ptr<pcre2_code, Deleter<pcre2_code_free>>;
using CompileContext = std::unique_ptr<pcre2_compile_context, Deleter<pcre2_compile_context_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Deleter<pcre2_match_context_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Deleter<pcre2_match_data_free>>;

std::string pcre2_reason(int code) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(code, text, sizeof(text));
  return reinterpret_cast<const char*>(text);
}

PCRE2_SPTR code_units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

utf8proc_category_t category(char32_t code) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(code));
}

bool is_letter(utf8proc_category_t c) {
  return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO;
}

/// Alphabetic symbols (category So): circled, squared and negative Latin letters.
bool is_enclosed_letter(char32_t code) {
  return (code >= 0x24b6 && code <= 0x24e9) || (code >= 0x1f130 && code <= 0x1f149) ||
         (code >= 0x1f150 && code <= 0x1f169) || (code >= 0x1f170 && code <= 0x1f189);
}

utf8proc_option_t options_of(NormalForm form) {
  switch (form) {
    case NormalForm::nfc: return UTF8PROC_COMPOSE;
    case NormalForm::nfd: return UTF8PROC_DECOMPOSE;
    case NormalForm::nfkc: return utf8proc_option_t(UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
    case NormalForm::nfkd: return utf8proc_option_t(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
  }
  return UTF8PROC_COMPOSE;
}

}  // namespace

Result<std::string> normalize(std::string_view text, NormalForm form) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0; });
  if (ascii) return std::string(text);
  utf8proc_uint8_t* mapped = nullptr;
  const utf8proc_ssize_t n_bytes =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                   utf8proc_option_t(UTF8PROC_STABLE | options_of(form)));
  if (n_bytes < 0) {
    return fail(ErrorCode::out_of_memory, "normalize: text of {} bytes: {}", text.size(),
                utf8proc_errmsg(n_bytes));
  }
  std::string out(reinterpret_cast<const char*>(mapped), static_cast<size_t>(n_bytes));
  std::free(mapped);
  return out;
}

std::string lowercase(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Character c = character_at(text, i);
    if (c.code == 0x130) {
      out += "i\xCC\x87";  // the one character whose lower case has two: i and U+0307
    } else {
      append_utf8(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c.code))),
                  out);
    }
    i += c.n_bytes;
  }
  return out;
}

bool is_white_space(char32_t code) {
  if (code < 0x80) return code == ' ' || (code >= 0x09 && code <= 0x0d);
  if (code == 0x85) return true;
  const utf8proc_category_t c = category(code);
  return c >= UTF8PROC_CATEGORY_ZS && c <= UTF8PROC_CATEGORY_ZP;
}

bool is_punctuation(char32_t code) {
  if (code < 0x80) {
    return code > 0x20 && code < 0x7f && !(code >= '0' && code <= '9') &&
           !((code | 0x20) >= 'a' && (code | 0x20) <= 'z');
  }
  const utf8proc_category_t c = category(code);
  return c >= UTF8PROC_CATEGORY_PC && c <= UTF8PROC_CATEGORY_PO;
}

bool is_number(char32_t code) {
  const utf8proc_category_t c = category(code);
  return c >= UTF8PROC_CATEGORY_ND && c <= UTF8PROC_CATEGORY_NO;
}

bool is_mark(char32_t code) {
  const utf8proc_category_t c = category(code);
  return c >= UTF8PROC_CATEGORY_MN && c <= UTF8PROC_CATEGORY_ME;
}

bool is_word(char32_t code) {
  const utf8proc_category_t c = category(code);
  return is_letter(c) || is_mark(code) || c == UTF8PROC_CATEGORY_ND || c == UTF8PROC_CATEGORY_NL ||
         c == UTF8PROC_CATEGORY_PC || code == 0x200c || code == 0x200d || is_enclosed_letter(code);
}

struct Regex::Compiled {
  Code code;
  MatchContext context;
  std::string shown;
  std::string where;
};

Result<Regex> Regex::compile(std::string_view pattern, std::string_view shown,
                             std::string_view where) {
  const CompileContext context(pcre2_compile_context_create(nullptr));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_max_pattern_length(context.get(), kMaxPatternBytes);
  int reason = 0;
  PCRE2_SIZE offset = 0;
  Code code(pcre2_compile(code_units(pattern), pattern.size(),
                          PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                          &reason, &offset, context.get()));
  if (!code) {
    return fail(ErrorCode::bad_format, "{}: the pattern '{}' is not a regular expression: {}",
                where, shown, pcre2_reason(reason));
  }
  // Without a JIT on this machine the interpreter gives the same matches.
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
  MatchContext limits(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(limits.get(), kMatchLimit);
  pcre2_set_heap_limit(limits.get(), kHeapLimitKib);
  return Regex(std::make_shared<const Compiled>(
      Compiled{std::move(code), std::move(limits), std::string(shown), std::string(where)}));
}

Result<std::vector<Match>> Regex::find_all(std::string_view text) const {
  const Compiled& re = *compiled_;
  const MatchData data(pcre2_match_data_create(1, nullptr));
  const auto search = [&](size_t from, uint32_t options) {
    // The text was checked once at the door; a check per search would make this quadratic.
    return pcre2_match(re.code.get(), code_units(text), text.size(), from,
                       PCRE2_NO_UTF_CHECK | options, data.get(), re.context.get());
  };
  std::vector<Match> matches;
  size_t from = 0;
  while (from <= text.size()) {
    int found = search(from, 0);
    // The JIT's stack is 32 KiB; the interpreter's is the heap, up to kHeapLimitKib.
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = search(from, PCRE2_NO_JIT);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0) {
      return fail(ErrorCode::unsupported, "{}: the pattern '{}' gave up on a text of {} bytes: {}",
                  re.where, re.shown, text.size(), pcre2_reason(found));
    }
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data.get());
    const Match match{ends[0], ends[1]};
    if (match.begin == match.end && !matches.empty() && matches.back().end == match.end) {
      if (from == text.size()) break;
      from += utf8_length(text[from]);
      continue;
    }
    // \K inside a lookahead can place a match before the point of the search.
    if (match.begin > match.end || match.begin < (matches.empty() ? 0 : matches.back().end)) {
      return fail(ErrorCode::unsupported, "{}: the pattern '{}' matches backwards", re.where,
                  re.shown);
    }
    matches.push_back(match);
    from = match.end;
  }
  return matches;
}

}  // namespace handloom::tokenizer
