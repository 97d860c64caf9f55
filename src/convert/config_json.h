// A model's blueprint as the config.json of a Hugging Face folder: what parse_config reads back.
#pragma once

#include "base/result.h"
#include "formats/config.h"

#include <string>

namespace handloom::convert {

/// Keys in transformers' older dialect, which every reader knows, but for the two rotations of
/// Gemma 3. Numbers that transformers keeps in double come back within rounding. Errors:
/// unsupported for what no key says: divisors of a GGUF file, an attention scale of its own.
Result<std::string> config_to_json(const formats::Config& config);

}  // namespace handloom::convert
