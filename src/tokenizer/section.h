// The sections of tokenizer.json (normalizer, pre_tokenizer, post_processor, decoder) are all built
// alike: null, one object with a "type", or a "Sequence" of such. A Sequence in a Sequence means
// the same as one flat list, so a section is read as that list.
#pragma once

#include "base/json.h"
#include "tokenizer/utf8.h"

#include <string>
#include <string_view>
#include <vector>

namespace handloom::tokenizer {

/// The type and the fields of one step; its fields().where() begins with path and section.
struct Step {
  std::string type;
  JsonObject fields;
};

/// The steps of section `name` of `root` in order; none if it is null or absent. `list` is the key
/// that holds a Sequence's members. The steps refer to `root`'s JSON.
Result<std::vector<Step>> read_steps(const JsonObject& root, std::string_view name,
                                     std::string_view list);

/// "... type 'Precompiled' is not supported (supported: A, B, C)"
std::unexpected<Error> unsupported_type(const Step& step, std::string_view supported);

/// A field that must hold exactly one character.
Result<std::string> get_character(const JsonObject& object, std::string_view key);

}  // namespace handloom::tokenizer
