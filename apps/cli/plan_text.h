// A list of dispatches on one screen: the layers of a model repeat, so one is shown and the others
// are said to be the same, which is found from the list alone and not from the model.
#pragma once

#include <handloom/handloom.h>

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace cli {

/// Entries [begin, begin + length) and n - 1 further copies of them that differ only in the layer
/// number of their tensors.
struct Repetition {
  size_t begin = 0, length = 0, n = 0;
  uint32_t first_layer = 0;       // of the entries shown
  uint32_t layers_per_block = 1;  // 2 where, say, every second layer has a sliding window
};

/// The repetition that saves the most lines, or none.
std::optional<Repetition> find_repetition(std::span<const handloom::PlanEntry> entries);

/// The same repetition from the beginning of a layer on, with the layers before and behind it that
/// the table shows alike: the first of a fused plan may have other params, the last other tensors.
Repetition whole_layers(std::span<const handloom::PlanEntry> entries, const Repetition& repeated);

/// Folded, in lines of at most 80 characters as far as names allow.
std::string plan_text(const handloom::Plan& plan);

/// Every dispatch with each binding, constants and params.
std::string full_plan_text(const handloom::Plan& plan);

nlohmann::ordered_json plan_json(const handloom::Plan& plan);

}  // namespace cli
