// What the Metaspace pre-tokenizer and the Metaspace decoder have in common.
#pragma once

#include "base/json.h"

namespace handloom::tokenizer {

/// Before which words the replacement is put where there is none: all, only the first of the whole
/// text, or none.
enum class PrependScheme { always, first, never };

/// Reads "prepend_scheme", or what older files have instead, "add_prefix_space".
Result<PrependScheme> read_prepend_scheme(const JsonObject& fields);

}  // namespace handloom::tokenizer
