// What the tests of this room share: bytes and words, and a kernel that doubles.
#pragma once

#include "gpu/encoder.h"
#include "tests/support/gpu_device.h"

#include <numeric>
#include <vector>

namespace handloom::test {

inline std::vector<uint32_t> count_up(uint32_t n, uint32_t first = 0) {
  std::vector<uint32_t> words(n);
  std::iota(words.begin(), words.end(), first);
  return words;
}

inline std::vector<uint32_t> words_of(const std::vector<std::byte>& bytes) {
  std::vector<uint32_t> words(bytes.size() / 4);
  std::memcpy(words.data(), bytes.data(), bytes.size());
  return words;
}

inline void write_words(gpu::Device& on, const gpu::Tensor& tensor,
                        const std::vector<uint32_t>& words) {
  on.write(tensor, std::as_bytes(std::span(words)));
}

/// A u32 tensor [words.size()] with this content.
inline gpu::Tensor upload(gpu::Device& on, std::string name, const std::vector<uint32_t>& words,
                          gpu::MemoryKind kind = gpu::MemoryKind::other) {
  const Shape shape = {static_cast<uint32_t>(words.size())};
  gpu::Tensor tensor = on.create_tensor(std::move(name), DType::u32, shape, kind).value();
  write_words(on, tensor, words);
  return tensor;
}

/// What a tensor holds, or no words and a test failure.
inline std::vector<uint32_t> download(gpu::Device& on, const gpu::Tensor& tensor) {
  const auto bytes = gpu::wait(on, on.read(tensor));
  EXPECT_TRUE(bytes) << bytes.error().message;
  return bytes ? words_of(*bytes) : std::vector<uint32_t>();
}

struct alignas(16) ScaleParams {
  uint32_t n;
  float factor;
};

/// y[i] += factor * x[i] over n values, as words.
inline const gpu::Kernel& scale_kernel() {
  static constexpr gpu::KernelBinding kBindings[] = {
      {"x", gpu::Access::read}, {"y", gpu::Access::read_write}, {"params", gpu::Access::uniform}};
  static constexpr gpu::KernelParam kParams[] = {{"n", 0, false}, {"factor", 4, true}};
  static constexpr gpu::Kernel kKernel = {
      .name = "scale",
      .entry_point = "scale",
      .source =
          "struct Params { n: u32, factor: f32 }\n"
          "@group(0) @binding(0) var<storage, read> x: array<u32>;\n"
          "@group(0) @binding(1) var<storage, read_write> y: array<u32>;\n"
          "@group(0) @binding(2) var<uniform> params: Params;\n"
          "override workgroup_size: u32 = 64;\n"
          "@compute @workgroup_size(workgroup_size)\n"
          "fn scale(@builtin(global_invocation_id) id: vec3u) {\n"
          "  if (id.x < params.n) { y[id.x] += u32(params.factor) * x[id.x]; }\n"
          "}\n",
      .bindings = kBindings,
      .params = kParams,
      .params_bytes = 16};
  return kKernel;
}

/// y += factor * x, one workgroup of 64.
inline gpu::Dispatch scale(const gpu::Tensor& x, const gpu::Tensor& y, float factor) {
  return {.kernel = scale_kernel(),
          .bindings = {x, y},
          .params = ScaleParams{.n = x.dim(0), .factor = factor}};
}

/// The message of an Error, or "" without one.
template <class T>
std::string message_of(const Result<T>& result) {
  return result ? "" : result.error().message;
}

}  // namespace handloom::test
