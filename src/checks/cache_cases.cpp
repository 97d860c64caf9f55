// Cases of the kernels that write to the KV cache.
#include "checks/kernel_cases.h"
#include "checks/kv_pages.h"
#include "ops/kv_append.h"

#include <fmt/format.h>

namespace handloom::checks {
namespace {

constexpr ops::Heads kHeads = {.n_heads = 4, .n_kv_heads = 2, .head_dim = 80};

/// Pages before a kernel writes: zeros, which every type stores alike.
Host empty_pages() { return reference::make_kv(kPages, kHeads.n_kv_heads, kHeads.head_dim); }

gpu::Tensor on_gpu(KernelRun& run, const Host& kv, DType type) {
  const Shape shape = pages_shape(kv, type);
  return run.inout("kv", shape, type, std::vector<uint32_t>(shape.count() * dtype_bytes(type) / 4));
}

/// Pages of int8 as values: a row's codes times its scale.
Host int8_values(std::span<const uint32_t> words, const Shape& shape) {
  Host kv(shape);
  for (size_t row = 0; row < kv.n_rows(); ++row) {
    const Int8Row at(kv, row);
    const float scale =
        f16_to_f32(static_cast<uint16_t>(words[at.scale] >> (at.is_value ? 16 : 0)));
    for (size_t i = 0; i < kv.row_dim(); ++i) {
      const auto code = static_cast<int8_t>(words[at.codes + i / 4] >> (i % 4 * 8));
      kv.row(row)[i] = scale * code;
    }
  }
  return kv;
}

/// Where x / scale, which WGSL allows 2.5 ULP, lies at a tie, the neighbouring code is as good: one
/// step of the row, in roundings of its largest value.
Tolerance int8_tolerance(const Host& want) {
  Tolerance tolerance{.roundings = 1 / (127 * kU), .magnitude = Host(want.shape)};
  for (size_t row = 0; row < want.n_rows(); ++row) {
    float largest = 0;
    for (const float value : want.row(row)) largest = std::max(largest, std::abs(value));
    std::ranges::fill(tolerance.magnitude.row(row), largest);
  }
  return tolerance;
}

std::vector<Expectation> kv_append(KernelRun& run, DType type) {
  const Host qkv = ramp({static_cast<uint32_t>(kPositions.size()), kHeads.row_dim()}, 1);
  Host kv = empty_pages();
  const gpu::Tensor pages = on_gpu(run, kv, type);
  ops::kv_append(run.encoder(), run.in("qkv", qkv), run.in("positions", kPositions),
                 run.in("page_table", kPageTable), pages, kHeads);
  reference::kv_append(qkv, kPositions, kPageTable, kv, type);
  if (type != DType::i8) {
    return {{.tensor = pages, .want = kv, .read = [type, shape = kv.shape](auto words) {
               return from_words(words, shape, type);
             }}};
  }
  return {{pages, kv, int8_tolerance(kv),
           [shape = kv.shape](auto words) { return int8_values(words, shape); }}};
}

}  // namespace

void add_cache_cases(KernelCases& cases) {
  const std::string size = describe(kHeads);
  for (const DType type : {DType::f32, DType::f16}) {
    cases.push_back({"kv_append", fmt::format("{}, pages {}", size, to_string(type)),
                     [type](KernelRun& run) { return kv_append(run, type); }});
  }
  cases.push_back(
      {"kv_append_int8", size, [](KernelRun& run) { return kv_append(run, DType::i8); }});
}

}  // namespace handloom::checks
