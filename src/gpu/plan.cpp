// A Recording told to people.
#include "gpu/encoder.h"

#include <algorithm>
#include <bit>
#include <fmt/ranges.h>

namespace handloom::gpu {
namespace {

std::string describe_params(const Kernel& kernel, std::span<const std::byte> bytes) {
  std::vector<std::string> parts;
  for (const KernelParam& p : kernel.params) {
    uint32_t word = 0;
    std::memcpy(&word, bytes.data() + p.offset, sizeof word);
    parts.push_back(p.is_float ? fmt::format("{}={:.6g}", p.name, std::bit_cast<float>(word))
                               : fmt::format("{}={}", p.name, word));
  }
  return fmt::format("{}", fmt::join(parts, " "));
}

std::string describe_constants(std::span<const Constant> constants) {
  std::vector<std::string> parts;
  for (const Constant& c : constants) parts.push_back(fmt::format("{}={}", c.name, c.value));
  return fmt::format("{}", fmt::join(parts, " "));
}

}  // namespace

std::vector<PlanEntry> Recording::plan() const {
  std::vector<PlanEntry> entries;
  for (const Dispatch& d : dispatches_) {
    PlanEntry entry{.index = static_cast<uint32_t>(entries.size()),
                    .kernel = std::string(d.kernel.name),
                    .constants = describe_constants(d.constants),
                    .params = describe_params(d.kernel, d.params.bytes()),
                    .bytes = d.bytes};
    for (size_t i = 0; i < d.bindings.size(); ++i) {
      const Tensor& t = d.bindings[i];
      const KernelBinding& b = d.kernel.bindings[i];
      entry.bindings.push_back({.name = std::string(b.name),
                                .tensor = t.name,
                                .dtype = std::string(to_string(t.dtype)),
                                .shape = to_string(t.shape),
                                .written = b.access != Access::read});
    }
    std::ranges::copy(d.workgroups, entry.workgroups);
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace handloom::gpu
