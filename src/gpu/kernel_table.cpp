#include "gpu/kernel_table.h"

namespace handloom::gpu {
namespace {

/// "matmul_vec_bf16_subgroup" for a combination that counts the values of all axes.
std::string name_of(const KernelForm& form, size_t combination) {
  std::string name;
  for (size_t axis = form.axes.size(); axis-- > 0;) {
    const auto values = form.axes[axis];
    name = "_" + std::string(values[combination % values.size()]) + name;
    combination /= values.size();
  }
  return std::string(form.stem) + name;
}

}  // namespace

KernelTable::KernelTable(std::span<const KernelForm> forms, std::span<const KernelFile> files,
                         std::span<const std::string_view> directives) {
  for (const KernelForm& form : forms) {
    size_t combination = 0;
    for (auto at = form.variants.begin(); at != form.variants.end(); ++combination) {
      Entry& entry = entries_.emplace_back();
      const uint8_t n_helpers = *at++;
      if (n_helpers == kNoVariant) continue;
      const std::string_view heads = directives[*at++];
      for (uint8_t i = 0; i < n_helpers; ++i) entry.helpers.push_back(&files[*at++]);
      entry.name = name_of(form, combination);
      entry.kernel = {.name = {},
                      .entry_point = form.stem,
                      .source = form.file.text,
                      .bindings = form.bindings,
                      .params = form.params,
                      .params_bytes = form.params_bytes,
                      .needs_f16 = heads.find("f16") != heads.npos,
                      .needs_subgroups = heads.find("subgroups") != heads.npos,
                      .path = form.file.path,
                      .directives = heads,
                      .helpers = {}};
    }
  }
  for (Entry& entry : entries_) {  // which stay where they are from now on
    if (entry.name.empty()) continue;
    entry.kernel.name = entry.name;
    entry.kernel.helpers = entry.helpers;
    all_.push_back(&entry.kernel);
  }
}

}  // namespace handloom::gpu
