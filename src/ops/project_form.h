// ProjectForm: how the products of the fused plan are computed. Every form gives the same product,
// but for the rounding of its activations; which is fastest depends on the device and on the type
// of the weight.
#pragma once

#include "base/dtype.h"

#include <handloom/adapter_info.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace handloom::ops {

/// What the activations are when they are multiplied.
enum class Act : uint8_t { f32, f16, int8 };
inline constexpr Act kActs[] = {Act::f32, Act::f16, Act::int8};
std::string_view to_string(Act act);

struct ProjectForm {
  Act act = Act::f32;
  bool subgroups = false;        // a team is a subgroup; else the whole workgroup
  uint32_t workgroup_size = 64;  // invocations: teams that work side by side
  uint32_t n_outputs = 16;       // of a workgroup, a multiple of 8
  /// Outputs below which two subgroups share one where they can evenly: else
  /// there are too few to keep a GPU's memory busy. 0: never.
  uint32_t wide_below = 0;
  /// Rows that a team multiplies at once, so that they share what is read of the input: 1 or 4. One
  /// in a team of two subgroups, and of a part whose rows are no multiple of four.
  uint32_t rows_at_once = 1;
  /// A pipeline for each shape of weight, which its addresses are constants of, instead of one for
  /// all: worth compiling where a dispatch takes microseconds.
  bool knows_shape = false;

  bool operator==(const ProjectForm&) const = default;
};

/// Whether weights of the type can be multiplied with such activations, on a device that can.
bool takes(DType weight, Act act);

/// What is right for a device of which nothing is known but what it says of itself.
ProjectForm form_by_rule(const AdapterInfo& adapter, const Features& features, DType weight);

/// Whether the device can run the form with such weights.
bool is_possible(const ProjectForm& form, const AdapterInfo& adapter, const Features& features,
                 DType weight);

/// All that are worth measuring there, each once: form_by_rule first, the least promising last.
std::vector<ProjectForm> candidate_forms(const AdapterInfo& adapter, const Features& features,
                                         DType weight);

/// A form for each type of weight.
class ProjectForms {
 public:
  const ProjectForm& of(DType weight) const { return forms_[static_cast<size_t>(weight)]; }
  void set(DType weight, const ProjectForm& form) { forms_[static_cast<size_t>(weight)] = form; }

 private:
  std::array<ProjectForm, std::size(kDTypes)> forms_;
};

}  // namespace handloom::ops
