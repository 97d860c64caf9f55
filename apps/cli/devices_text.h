// The adapters of a machine, as text and as JSON.
#pragma once

#include <handloom/tuning.h>

#include <nlohmann/json_fwd.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

/// "software", "discrete", ...
std::string_view kind_name(handloom::AdapterKind kind);

/// What is kept of measurements on an adapter.
struct AdapterTuning {
  std::vector<handloom::ProductForm> forms;  // empty: nothing
  std::string problem;                       // why it cannot be read; empty: it can
};

/// A paragraph per adapter, with the tuning of each in the same order, and what handloom would use,
/// in lines of at most 80 characters as far as the driver's names allow.
std::string devices_text(const handloom::AdapterChoice& choice,
                         std::span<const AdapterTuning> tuning);

nlohmann::ordered_json devices_json(const handloom::AdapterChoice& choice,
                                    std::span<const AdapterTuning> tuning);

}  // namespace cli
