// What inspect finds and quantize wrote, as text and as JSON.
#pragma once

#include <handloom/handloom.h>

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace cli {

/// Sections apart by blank lines: settings, weights, tensors, tokenizer, forward pass, memory, and
/// what would be refused.
std::string inspection_text(const handloom::Inspection& found);

nlohmann::ordered_json inspection_json(const handloom::Inspection& found);

/// "out.gguf: q4_0, 3.9 MB, 4.61 bits per weight", then a line for each type.
std::string quantise_text(const std::string& out, const std::string& type,
                          const handloom::QuantiseReport& report);

}  // namespace cli
