// What a chat template may ask for. It comes with a model, from strangers, and minja trusts it: its
// parser recurses over what nests, and so does std::regex over what is long.
#pragma once

#include <string_view>

namespace cli {

/// Throws Failure, with row and column, if `source` is too long or nests too deeply.
void check_template_limits(std::string_view source);

}  // namespace cli
