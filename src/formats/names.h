// Names that come from files, made fit for error messages.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace handloom::formats {

/// `name` as one short line: control characters become '?', and what is longer than 100 bytes is
/// cut at a character's edge and ends in "...".
std::string printable(std::string_view name);

/// "; is 'x' meant?" for the candidate that differs least from `name`, or "" if none is near. Near
/// is an edit distance of at most a third of the name.
std::string suggestion(std::string_view name, std::span<const std::string_view> candidates);

bool is_utf8(std::string_view text);

}  // namespace handloom::formats
