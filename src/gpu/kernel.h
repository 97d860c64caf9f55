// A kernel as tools/embed_wgsl emits it from kernels/*.wgsl: texts and contract.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace handloom::gpu {

enum class Access : uint8_t { read, write, read_write, uniform };

struct KernelBinding {
  std::string_view name;  // as in the kernel: "x"
  Access access;
};

/// One field of the kernel's Params struct, for printing.
struct KernelParam {
  std::string_view name;
  uint32_t offset;  // bytes from the start of the struct
  bool is_float;    // f32, else u32
};

/// A file of kernels/. Its directives (enable, requires, diagnostic) are taken out of their lines.
struct KernelFile {
  std::string_view path;  // "kernels/lib/planes.wgsl"
  std::string_view text;
};

struct Kernel {
  std::string_view name;                    // "matmul_vec_bf16_subgroup": file plus variant
  std::string_view entry_point;             // "matmul_vec"
  std::string_view source;                  // its own file, without directives
  std::span<const KernelBinding> bindings;  // binding i is @group(0) @binding(i)
  std::span<const KernelParam> params;
  uint32_t params_bytes;
  bool needs_f16;
  bool needs_subgroups;
  std::string_view path;                       // of its own file; empty: it has none
  std::string_view directives;                 // lines that WGSL wants first: "enable f16;\n"
  std::span<const KernelFile* const> helpers;  // what follows its own file
};

/// The whole text, as a GPU compiles it.
std::string flatten(const Kernel& kernel);

/// "kernels/matmul_vec.wgsl:34:5" for a position in the whole text.
std::string locate(const Kernel& kernel, uint64_t line, uint64_t column);

/// Sets an `override` of a kernel.
struct Constant {
  std::string_view name;
  double value;
  bool operator==(const Constant&) const = default;
};

}  // namespace handloom::gpu
