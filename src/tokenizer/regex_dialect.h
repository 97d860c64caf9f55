// tokenizer.json writes its patterns for Oniguruma (Ruby syntax). This rewrites what Oniguruma
// means differently into the common ground of PCRE2 and JavaScript's RegExp, so that a host
// compiles what it is given:
//
//   \w \d \s \h and their negations   explicit Unicode properties
//   [a[bc]]  [a&&[^b]]                alternation and lookahead of plain classes
//   (?m)  {,n}  \uHHHH                (?s)  {0,n}  \x{HHHH}
//   \p{Han}                           \p{sc=Han}, for PCRE2 would include script extensions
//
// Everything else passes through; what is wrong with it, the host's compiler says.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace handloom::tokenizer {

/// Errors begin with `where` and name the pattern.
Result<std::string> common_dialect(std::string_view pattern, std::string_view where);

}  // namespace handloom::tokenizer
