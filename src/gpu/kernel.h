// A kernel as tools/embed_wgsl emits it from kernels/*.wgsl: text, contract, and where lines came
// from.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace handloom::gpu {

enum class Access : uint8_t { read, write, read_write, uniform };

struct KernelBinding {
  std::string_view name;   // as in the kernel: "x"
  std::string_view shape;  // as in its contract: "[rows, dim]"
  Access access;
};

/// One field of the kernel's Params struct, for printing.
struct KernelParam {
  std::string_view name;
  uint32_t offset;  // bytes from the start of the struct
  bool is_float;    // f32, else u32
};

/// Lines `first_line`.. of the flattened text stand in `file` from `file_line` on.
struct KernelLines {
  uint32_t first_line;
  std::string_view file;
  uint32_t file_line;
};

struct Kernel {
  std::string_view name;                    // "matmul_vec_bf16_subgroup": file plus variant
  std::string_view entry_point;             // "matmul_vec"
  std::string_view source;                  // flattened WGSL
  std::span<const KernelBinding> bindings;  // binding i is @group(0) @binding(i)
  std::span<const KernelParam> params;
  uint32_t params_bytes;
  bool needs_f16;
  bool needs_subgroups;
  std::span<const KernelLines> lines;
};

/// Sets an `override` of a kernel.
struct Constant {
  std::string_view name;
  double value;
  bool operator==(const Constant&) const = default;
};

}  // namespace handloom::gpu
