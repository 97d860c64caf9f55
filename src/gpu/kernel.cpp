#include "gpu/kernel.h"

#include "base/result.h"

#include <algorithm>

namespace handloom::gpu {
namespace {

uint64_t count_lines(std::string_view text) {
  return static_cast<uint64_t>(std::ranges::count(text, '\n'));
}

}  // namespace

std::string flatten(const Kernel& kernel) {
  std::string text(kernel.directives);
  text += kernel.source;
  for (const KernelFile* helper : kernel.helpers) text += helper->text;
  return text;
}

std::string locate(const Kernel& kernel, uint64_t line, uint64_t column) {
  std::string_view path = kernel.path.empty() ? kernel.name : kernel.path;
  line -= std::min(line, count_lines(kernel.directives));
  uint64_t n_lines = count_lines(kernel.source);
  for (const KernelFile* helper : kernel.helpers) {
    if (line <= n_lines) break;
    line -= n_lines;
    path = helper->path;
    n_lines = count_lines(helper->text);
  }
  return fmt::format("{}:{}:{}", path, line, column);
}

}  // namespace handloom::gpu
