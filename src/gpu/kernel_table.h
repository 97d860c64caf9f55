// The kernels of an executable, as tools/embed_wgsl writes them down: a form for each file of
// kernels/, and a few bytes for each of its variants, of which Kernels are made when the first is
// asked for.
#pragma once

#include "gpu/kernel.h"

#include <vector>

namespace handloom::gpu {

/// Stands for a combination of values that a file leaves out.
inline constexpr uint8_t kNoVariant = 255;

/// A file of kernels/ with its variants.
struct KernelForm {
  uint8_t file;                                             // its place among the files
  std::string_view bindings;                                // "read x\nwrite y\nuniform params\n"
  std::string_view params;                                  // "u32 dim4\nf32 eps\n"
  std::span<const std::span<const std::string_view>> axes;  // the values of each
  /// One a combination of values, those of the last axis next to each other: how many helpers,
  /// which of the directives, then each helper's place among the files; or kNoVariant.
  std::span<const uint8_t> variants;
};

class KernelTable {
 public:
  /// `files`: path and text of each, every one of these ended by a zero. A table of them would be
  /// mostly addresses, which cost a page more to fetch than they say.
  KernelTable(std::span<const KernelForm> forms, std::string_view files,
              std::span<const std::string_view> directives);

  KernelTable(const KernelTable&) = delete;
  KernelTable& operator=(const KernelTable&) = delete;

  /// `i` counts all combinations of all forms, in their order.
  const Kernel& kernel(size_t i) const { return entries_[i].kernel; }
  /// Those that are there.
  std::span<const Kernel* const> all() const { return all_; }

 private:
  struct Entry {
    Kernel kernel;  // refers to the other two, and to a Contract
    std::string name;
    std::vector<const KernelFile*> helpers;
  };

  struct Contract {
    std::vector<KernelBinding> bindings;
    std::vector<KernelParam> params;
  };

  std::vector<KernelFile> files_;
  std::vector<Contract> contracts_;  // one a form
  std::vector<Entry> entries_;
  std::vector<const Kernel*> all_;
};

}  // namespace handloom::gpu
