// Which variants of a kernel this adapter supports, and how a test steers an op to each.
#pragma once

#include "tests/support/gpu_device.h"

#include "kernels/kernels.h"
#include "ops/matmul.h"
#include "ops/sharing.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::test {

inline constexpr DType kPlainTypes[] = {DType::f32, DType::f16, DType::bf16};
inline constexpr DType kKvTypes[] = {DType::f32, DType::f16, DType::i8};
inline constexpr ops::ManyRows kManyRows[] = {ops::ManyRows::tile, ops::ManyRows::wide,
                                              ops::ManyRows::lanes};
inline constexpr ops::Sharing kSharings[] = {ops::Sharing::workgroups, ops::Sharing::lanes};

/// The feature sets to run an op under: without subgroups, and with them if the adapter has them.
inline std::vector<Features> feature_sets() {
  Features features = device().adapter().features;
  std::vector<Features> sets;
  if (features.subgroups) sets.push_back(features);
  features.subgroups = false;
  sets.push_back(features);
  return sets;
}

/// The names of all variants of kernels/`file`.wgsl that the adapter supports. A test compares them
/// with those it has run, so that a new variant cannot stay untested.
inline std::set<std::string> supported_variants(std::string_view file) {
  const Features& features = device().adapter().features;
  std::set<std::string> names;
  for (const gpu::Kernel* kernel : kernels::all()) {
    if (kernel->entry_point != file) continue;
    if (kernel->needs_subgroups && !features.subgroups) continue;
    if (kernel->needs_f16 && !features.f16) continue;
    names.emplace(kernel->name);
  }
  return names;
}

/// Of these, the ones that read a weight of a plain type, or of a quantised one.
inline std::set<std::string> variants_by_weight(std::string_view file, bool quantised) {
  std::set<std::string> names;
  for (const std::string& name : supported_variants(file)) {
    const std::string_view weight = std::string_view(name).substr(file.size() + 1);
    const bool plain = std::ranges::any_of(
        kPlainTypes, [&](DType type) { return weight.starts_with(to_string(type)); });
    if (plain != quantised) names.insert(name);
  }
  return names;
}

}  // namespace handloom::test
