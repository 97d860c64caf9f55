#include "ops/project_form.h"

#include <algorithm>
#include <bit>

namespace handloom::ops {
namespace {

constexpr uint32_t kBlock = 8;  // outputs that are stored together: kernels/lib/store_input.wgsl
constexpr uint32_t kFewOutputs = 4097;

}  // namespace

std::string_view to_string(Act act) {
  constexpr std::string_view kNames[] = {"f32", "f16", "int8"};
  return kNames[static_cast<size_t>(act)];
}

bool takes(DType weight, Act act) {
  if (act == Act::f32) return true;
  switch (weight) {
    case DType::f16: return act == Act::f16;
    case DType::q4_0:
    case DType::mlc_q4: return true;
    case DType::q8_0:
    case DType::q4_k:
    case DType::q6_k: return act == Act::int8;
    default: return false;
  }
}

ProjectForm form_by_rule(const AdapterInfo& adapter, const Features& features, DType weight) {
  // A software adapter works on a workgroup vector by vector and comes back to each after a
  // barrier, so one is enough; its loads cost more than what is done with them, so rows share those
  // of the input; and it has no instruction for products of bytes.
  if (adapter.kind == AdapterKind::software) {
    return {.subgroups = features.subgroups,
            .workgroup_size = std::max(kBlock, features.min_subgroup_size),
            .n_outputs = 2 * kBlock,
            .rows_at_once = 4};
  }
  const Act act = takes(weight, Act::int8) ? Act::int8 : Act::f32;
  if (!features.subgroups) {
    return {.act = act, .workgroup_size = 64, .n_outputs = kBlock, .knows_shape = true};
  }
  // A team for each output: all are under way at once.
  const uint32_t team = std::max(1u, features.min_subgroup_size);
  const uint32_t most = adapter.limits.max_invocations;
  const uint32_t n_teams = most >= 2 * kBlock * team ? 2 * kBlock : kBlock;
  return {.act = act,
          .subgroups = true,
          .workgroup_size = std::min(n_teams * team, most),
          .n_outputs = n_teams,
          .wide_below = kFewOutputs,
          .knows_shape = true};
}

bool is_possible(const ProjectForm& form, const AdapterInfo& adapter, const Features& features,
                 DType weight) {
  return takes(weight, form.act) && (form.act != Act::f16 || features.f16) &&
         (!form.subgroups || features.subgroups) && form.n_outputs > 0 &&
         form.n_outputs % kBlock == 0 && (form.rows_at_once == 1 || form.rows_at_once == 4) &&
         std::has_single_bit(form.workgroup_size) && form.workgroup_size >= kBlock &&
         kBlock * form.workgroup_size >= form.n_outputs &&
         form.workgroup_size <= adapter.limits.max_invocations;
}

std::vector<ProjectForm> candidate_forms(const AdapterInfo& adapter, const Features& features,
                                         DType weight) {
  const ProjectForm rule = form_by_rule(adapter, features, weight);
  std::vector<ProjectForm> shapes = {rule};
  const auto add_teams = [&](uint32_t n_teams, uint32_t n_outputs) {
    const uint32_t size = n_teams * std::max(1u, features.min_subgroup_size);
    shapes.push_back({.subgroups = true,
                      .workgroup_size = size,
                      .n_outputs = n_outputs,
                      .wide_below = rule.wide_below});
  };
  add_teams(2 * kBlock, 2 * kBlock);
  add_teams(kBlock, kBlock);
  add_teams(kBlock / 2, kBlock);
  shapes.push_back({.subgroups = false, .workgroup_size = 64, .n_outputs = kBlock});

  std::vector<ProjectForm> forms;
  for (ProjectForm form : shapes) {
    form.knows_shape = rule.knows_shape;
    for (const Act act : {rule.act, Act::int8, Act::f16, Act::f32}) {
      form.act = act;
      const bool is_new = std::ranges::find(forms, form) == forms.end();
      if (is_new && is_possible(form, adapter, features, weight)) forms.push_back(form);
    }
  }
  return forms;
}

}  // namespace handloom::ops
