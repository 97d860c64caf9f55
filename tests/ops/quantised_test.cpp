// Quantised weights on the GPU: dequantised bit for bit as formats/quantised.h reads the file's
// blocks, and multiplied like the same values in f32. All types, whole and in parts.
#include "ops/embed.h"
#include "ops/experts.h"
#include "ops/matmul.h"
#include "reference/embed.h"
#include "reference/experts.h"
#include "reference/matmul.h"
#include "checks/quantised_weight.h"
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

#include <numeric>

namespace handloom::test {
namespace {

std::string describe(const QuantisedType& type, uint32_t rows, uint32_t in_dim) {
  return fmt::format("{} group {} [{}, {}]", to_string(type.file), type.group, rows, in_dim);
}

/// Embedding every row is dequantising the weight.
TEST(Quantised, DequantisesEveryTypeBitForBit) {
  std::set<std::string> seen;
  for (const QuantisedType& type : kQuantisedTypes) {
    for (const uint32_t rows : {1u, 3u, 70u}) {
      for (const uint32_t blocks : {1u, 3u}) {
        const uint32_t in_dim = blocks * row_multiple(type);
        const QuantisedWeight weight(type, rows, in_dim, 5);
        std::vector<uint32_t> ids(rows);
        std::iota(ids.begin(), ids.end(), 0u);
        for (const uint32_t part_rows : {~0u, 32u}) {
          GpuRun run(device().adapter().features);
          const gpu::Tensor x = run.out("x", {rows, in_dim});
          ops::embed(run.encoder(), run.in("token_ids", ids), weight.on_gpu(run, part_rows), x);
          ASSERT_TRUE(run.run()) << describe(type, rows, in_dim);
          EXPECT_TRUE(is_close({"embed", describe(type, rows, in_dim), run.kernels()[0]},
                               run.values(x), weight.values(), {}));
          seen.insert(run.kernels()[0]);
        }
      }
    }
  }
  EXPECT_EQ(seen, variants_by_weight("embed", true));
}

std::string check_matmul(const QuantisedType& type, uint32_t rows, uint32_t out_dim,
                         uint32_t in_dim, const Features& features, uint32_t part_rows = ~0u,
                         std::optional<ops::ManyRows> how = {}) {
  const QuantisedWeight weight(type, out_dim, in_dim, 2);
  const Host x = ramp({rows, in_dim}, 1), values = weight.values();
  GpuRun run(features);
  const gpu::Tensor y = run.out("y", {rows, out_dim});
  ops::matmul(run.encoder(), run.in("x", x), weight.on_gpu(run, part_rows), y, how);
  const auto ran = run.run();
  EXPECT_TRUE(ran) << describe(type, out_dim, in_dim);
  if (!ran) return "";
  const Tolerance tolerance{.roundings = in_dim + 1.0,
                            .magnitude = reference::matmul(magnitudes(x), magnitudes(values))};
  EXPECT_TRUE(is_close({"matmul", describe(type, out_dim, in_dim), run.kernels()[0]}, run.values(y),
                       reference::matmul(x, values), tolerance));
  return run.kernels()[0];
}

TEST(Quantised, MultipliesAFewRowsInEveryVariant) {
  std::set<std::string> seen;
  for (const Features& features : feature_sets()) {
    for (const QuantisedType& type : kQuantisedTypes) {
      const uint32_t in_dim = 3 * row_multiple(type);
      seen.insert(check_matmul(type, 1, 37, in_dim, features));
      seen.insert(check_matmul(type, 3, 5, in_dim, features));
      seen.insert(check_matmul(type, 2, 37, in_dim, features, 16));
    }
  }
  EXPECT_EQ(seen, variants_by_weight("matmul_vec", true));
}

TEST(Quantised, MultipliesManyRowsInEveryVariant) {
  std::set<std::string> seen;
  const Features features = device().adapter().features;
  for (const ops::ManyRows how : kManyRows) {
    for (const QuantisedType& type : kQuantisedTypes) {
      const uint32_t in_dim = 3 * row_multiple(type);
      seen.insert(check_matmul(type, 33, 37, in_dim, features, ~0u, how));
      seen.insert(check_matmul(type, 5, 70, in_dim, features, 33, how));
    }
  }
  std::set<std::string> all = variants_by_weight("matmul_tile", true);
  all.merge(variants_by_weight("matmul_wide", true));
  all.merge(variants_by_weight("matmul_lanes", true));
  EXPECT_EQ(seen, all);
}

TEST(Quantised, MultipliesExpertsInEveryVariant) {
  constexpr uint32_t kExperts = 5, kOutDim = 18, kUsed = 2, kRows = 4;
  std::set<std::string> seen;
  for (const Features& features : feature_sets()) {
    for (const QuantisedType& type : kQuantisedTypes) {
      const uint32_t in_dim = 2 * row_multiple(type);
      const QuantisedWeight weight(type, kExperts * kOutDim, in_dim, 4);
      const Host x = ramp({kRows, in_dim}, 1), values = weight.values();
      const std::vector<uint32_t> ids = {0, 4, 2, 1, 4, 3, 1, 0};
      for (const uint32_t part_rows : {~0u, 2 * kOutDim}) {
        GpuRun run(features);
        const gpu::Tensor y = run.out("y", {kRows * kUsed, kOutDim});
        gpu::Tensor expert_ids = run.in("expert_ids", ids);
        expert_ids.shape = {kRows, kUsed};
        ops::matmul_experts(run.encoder(), run.in("x", x), expert_ids,
                            weight.on_gpu(run, part_rows), y);
        ASSERT_TRUE(run.run()) << describe(type, kExperts * kOutDim, in_dim);
        const Tolerance tolerance{.roundings = in_dim + 1.0,
                                  .magnitude = reference::matmul_experts(
                                      magnitudes(x), ids, magnitudes(values), kOutDim)};
        EXPECT_TRUE(is_close({"matmul_experts", describe(type, kOutDim, in_dim), run.kernels()[0]},
                             run.values(y), reference::matmul_experts(x, ids, values, kOutDim),
                             tolerance));
        seen.insert(run.kernels()[0]);
      }
    }
  }
  EXPECT_EQ(seen, variants_by_weight("matmul_experts", true));
}

TEST(Quantised, RefusesRowsThatAreNoWholeWords) {
  gpu::Tensor weight = f32({5, 36}, "weight");
  weight.dtype = DType::q8_0;
  const std::string message = refusal([&](gpu::Encoder& enc) {
    ops::matmul(enc, f32({1, 36}, "x"), weight, f32({1, 5}, "y"));
  });
  EXPECT_EQ(message, "matmul: in_dim is 36, expected a multiple of 32");
}

}  // namespace
}  // namespace handloom::test
