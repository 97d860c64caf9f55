// The adapters of a machine, as text and as JSON.
#pragma once

#include <handloom/handloom.h>

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace cli {

/// "software", "discrete", ...
std::string_view kind_name(handloom::AdapterKind kind);

/// A paragraph per adapter and what handloom would use, in lines of at most 80 characters as far as
/// the driver's names allow.
std::string devices_text(const handloom::AdapterChoice& choice);

nlohmann::ordered_json devices_json(const handloom::AdapterChoice& choice);

}  // namespace cli
