// Cases of the kernels that write to the KV cache.
#include "checks/kernel_cases.h"
#include "checks/rope_data.h"
#include "ops/kv_append.h"
#include "ops/rope_append.h"
#include "reference/rope.h"

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

/// The part of a row that is not appended.
Host queries(std::span<const float> row) {
  constexpr uint32_t kQueries = kHeads.n_heads * kHeads.head_dim;
  return Host({kQueries}, {row.begin(), row.begin() + kQueries});
}

std::vector<Expectation> rope_append(KernelRun& run) {
  constexpr uint32_t kPosition = 77;
  Host row = ramp({1, kHeads.row_dim()}, 1);
  Host kv = empty_pages(), kv_lengths = kv;
  const gpu::Tensor qkv = run.inout("qkv", row), pages = on_gpu(run, kv, DType::f32), none;
  const std::vector<float> inv_freq = make_inv_freq(kHeads.head_dim);
  const gpu::Tensor positions = run.in("positions", std::vector<uint32_t>{kPosition});
  const gpu::Tensor cos_sin = run.in("cos_sin", make_cos_sin(inv_freq, kLongest));
  const gpu::Tensor page_table = run.in("page_table", kPageTable);
  ops::rope_append(run.encoder(), {.positions = positions,
                                   .cos_sin = cos_sin,
                                   .q_weight = none,
                                   .k_weight = none,
                                   .page_table = page_table,
                                   .qkv = qkv,
                                   .kv = pages,
                                   .heads = kHeads});
  const Host lengths = pair_lengths(row, kHeads, kHeads.head_dim / 2);
  reference::rope(row, std::span(&kPosition, 1), inv_freq, kHeads.n_heads + kHeads.n_kv_heads,
                  kHeads.head_dim);
  reference::kv_append(row, std::span(&kPosition, 1), kPageTable, kv);
  reference::kv_append(lengths, std::span(&kPosition, 1), kPageTable, kv_lengths);
  return {{qkv,
           queries(row.values),
           {.roundings = kRotation, .magnitude = queries(lengths.values)},
           [shape = row.shape](auto words) {
             return queries(from_words(words, shape, DType::f32).values);
           }},
          {pages, kv, {.roundings = kRotation, .magnitude = kv_lengths}}};
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
  cases.push_back({"rope_append", size, rope_append});
}

}  // namespace handloom::checks
