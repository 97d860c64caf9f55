#include "checks/kernel_cases.h"

#include "kernels/kernels.h"

#include <algorithm>
#include <set>

namespace handloom::checks {
namespace {

bool has_subgroup_form(std::string_view kernel) {
  return std::ranges::any_of(kernels::all(), [&](const gpu::Kernel* variant) {
    return variant->entry_point == kernel && variant->needs_subgroups;
  });
}

}  // namespace

KernelCases kernel_cases(const Features& adapter) {
  KernelCases cases;
  add_row_cases(cases);
  add_matrix_cases(cases, adapter);
  add_expert_cases(cases);
  add_cache_cases(cases);
  add_attention_cases(cases);
  add_sampling_cases(cases);
  KernelCases all;
  std::set<std::string> without_subgroups;
  for (KernelCase& one : cases) {
    one.features = adapter;
    all.push_back(one);
    if (!adapter.subgroups || !has_subgroup_form(one.kernel)) continue;
    if (!without_subgroups.insert(one.kernel).second) continue;
    one.features.subgroups = false;
    one.about += ", no subgroups";
    all.push_back(std::move(one));
  }
  std::ranges::stable_sort(all, {}, &KernelCase::kernel);
  return all;
}

}  // namespace handloom::checks
