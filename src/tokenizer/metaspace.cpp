#include "tokenizer/metaspace.h"

namespace handloom::tokenizer {

Result<PrependScheme> read_prepend_scheme(const JsonObject& fields) {
  TRY(const auto& scheme, fields.find_string("prepend_scheme"));
  TRY(const auto add_prefix_space, fields.find_bool("add_prefix_space"));
  if (add_prefix_space == false) return PrependScheme::never;
  if (!scheme || scheme == "always") return PrependScheme::always;
  if (scheme == "first") return PrependScheme::first;
  if (scheme == "never") return PrependScheme::never;
  return fail(ErrorCode::bad_format,
              "{}: 'prepend_scheme' is '{}', expected always, first or never", fields.where(),
              *scheme);
}

}  // namespace handloom::tokenizer
