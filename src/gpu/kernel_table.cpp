#include "gpu/kernel_table.h"

namespace handloom::gpu {
namespace {

/// "matmul_vec" of "kernels/matmul_vec.wgsl".
std::string_view stem_of(std::string_view path) {
  path.remove_prefix(path.rfind('/') + 1);
  return path.substr(0, path.find('.'));
}

/// "matmul_vec_bf16_subgroup" for a combination that counts the values of all axes.
std::string name_of(std::string_view stem, const KernelForm& form, size_t combination) {
  std::string name;
  for (size_t axis = form.axes.size(); axis-- > 0;) {
    const auto values = form.axes[axis];
    name = "_" + std::string(values[combination % values.size()]) + name;
    combination /= values.size();
  }
  return std::string(stem) + name;
}

/// Takes a line's two words off the front.
std::pair<std::string_view, std::string_view> take_words(std::string_view& lines) {
  const size_t space = lines.find(' '), end = lines.find('\n');
  const auto words = std::pair(lines.substr(0, space), lines.substr(space + 1, end - space - 1));
  lines.remove_prefix(end + 1);
  return words;
}

Access access_of(std::string_view word) {
  return word == "read"      ? Access::read
         : word == "write"   ? Access::write
         : word == "uniform" ? Access::uniform
                             : Access::read_write;
}

std::vector<KernelBinding> bindings_of(std::string_view lines) {
  std::vector<KernelBinding> bindings;
  while (!lines.empty()) {
    const auto [access, name] = take_words(lines);
    bindings.push_back({name, access_of(access)});
  }
  return bindings;
}

std::vector<KernelParam> params_of(std::string_view lines) {
  std::vector<KernelParam> params;
  for (uint32_t offset = 0; !lines.empty(); offset += 4) {
    const auto [type, name] = take_words(lines);
    params.push_back({name, offset, type == "f32"});
  }
  return params;
}

/// Takes what ends at the first zero off the front.
std::string_view take_text(std::string_view& texts) {
  const std::string_view text = texts.substr(0, texts.find('\0'));
  texts.remove_prefix(text.size() + 1);
  return text;
}

}  // namespace

KernelTable::KernelTable(std::span<const KernelForm> forms, std::string_view files,
                         std::span<const std::string_view> directives) {
  while (!files.empty()) {
    const std::string_view path = take_text(files);
    files_.push_back({path, take_text(files)});
  }
  contracts_.reserve(forms.size());  // what refers to one does so for good
  for (const KernelForm& form : forms) {
    const KernelFile& own = files_[form.file];
    const std::string_view stem = stem_of(own.path);
    const Contract& contract =
        contracts_.emplace_back(bindings_of(form.bindings), params_of(form.params));
    size_t combination = 0;
    for (auto at = form.variants.begin(); at != form.variants.end(); ++combination) {
      Entry& entry = entries_.emplace_back();
      const uint8_t n_helpers = *at++;
      if (n_helpers == kNoVariant) continue;
      const std::string_view heads = directives[*at++];
      for (uint8_t i = 0; i < n_helpers; ++i) entry.helpers.push_back(&files_[*at++]);
      entry.name = name_of(stem, form, combination);
      entry.kernel = {.name = {},
                      .entry_point = stem,
                      .source = own.text,
                      .bindings = contract.bindings,
                      .params = contract.params,
                      .params_bytes = static_cast<uint32_t>(contract.params.size() + 3) / 4 * 16,
                      .needs_f16 = heads.find("f16") != heads.npos,
                      .needs_subgroups = heads.find("subgroups") != heads.npos,
                      .path = own.path,
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
