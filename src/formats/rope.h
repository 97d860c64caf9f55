// The rotary embedding's part of config.json.
#pragma once

#include "base/json.h"
#include "formats/config.h"

namespace handloom::formats {

/// The Rope that a config.json of either dialect describes, for heads of `dim` dimensions.
Result<Rope> parse_rope(const JsonObject& config, uint32_t dim);

/// The same from one object of rope_parameters alone, which has rope_theta and rope_type.
Result<Rope> parse_rope_parameters(const JsonObject& config, const JsonObject& object,
                                   uint32_t dim);

}  // namespace handloom::formats
