// Forms of products, and what measuring them found, as text and as JSON.
#pragma once

#include <handloom/tuning.h>

#include <nlohmann/json_fwd.hpp>

#include <span>
#include <string>

namespace cli {

/// All that tells two forms apart: "int8 by subgroups, 512 lanes for 16 outputs, two a row below
/// 4097 rows".
std::string form_text(const handloom::ProductForm& form);

nlohmann::ordered_json forms_json(std::span<const handloom::ProductForm> forms);

/// A line for each form that was run, and where the choice is kept.
std::string tune_text(const handloom::TuningReport& report);

}  // namespace cli
