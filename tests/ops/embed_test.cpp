// embed against reference::embed: widening is exact and a scale rounds once, so exactly equal.
#include "ops/embed.h"
#include "reference/embed.h"
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

/// The first, the last, and ids in between in no order, with repeats.
std::vector<uint32_t> pick_ids(uint32_t rows, uint32_t vocab_size) {
  std::vector<uint32_t> ids(rows);
  for (uint32_t r = 0; r < rows; ++r) ids[r] = (r * 7919 + vocab_size - 1) % vocab_size;
  if (rows > 2) ids[2] = 0;
  return ids;
}

std::string check_embed(uint32_t rows, uint32_t vocab_size, uint32_t dim, DType type,
                        float scale = 1) {
  const Host table = ramp_in({vocab_size, dim}, type, 1);
  const std::vector<uint32_t> ids = pick_ids(rows, vocab_size);
  GpuRun run(device().adapter().features);
  const gpu::Tensor x = run.out("x", {rows, dim});
  ops::embed(run.encoder(), run.in("token_ids", ids), run.in("token_embd", table, type), x, scale);
  const auto ran = run.run();
  EXPECT_TRUE(ran) << rows << " rows of " << to_string(table.shape);
  if (!ran) return "";
  const Case where{"embed", to_string(x.shape), run.kernels()[0]};
  EXPECT_TRUE(is_close(where, run.values(x), reference::embed(ids, table, scale), {}));
  return run.kernels()[0];
}

TEST(Embed, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen;
  for (const DType type : kPlainTypes) {
    for (const uint32_t rows : {1, 3, 4, 5, 31, 32, 33, 65}) {
      for (const uint32_t dim : {4, 12, 64, 100, 260, 1028}) {
        seen.insert(check_embed(rows, 17, dim, type));
      }
    }
    for (const uint32_t vocab_size : {1, 2, 255, 257, 2048, 5000}) {
      seen.insert(check_embed(5, vocab_size, 12, type));
    }
  }
  EXPECT_EQ(seen, variants_by_weight("embed", false));
}

TEST(Embed, ScalesInEveryVariant) {
  for (const DType type : kPlainTypes) {
    for (const float scale : {11.3137085f, 33.9411255f, 0.5f, 0.0f, -3.0f}) {
      check_embed(5, 17, 100, type, scale);
    }
  }
}

TEST(Embed, WidensTheEdgesOfEveryTypeExactly) {
  // Largest, smallest normal, signed zeros. Subnormals are not asked for: WGSL may flush them.
  const float f16_edges[] = {65504, -65504, 0x1p-14f, -0x1p-14f, 0.0f, -0.0f, 1 + 0x1p-10f, -1};
  const float bf16_edges[] = {0x1.fep127f, -0x1.fep127f, 0x1p-126f,  -0x1p-126f,
                              0.0f,        -0.0f,        1.0078125f, -1};
  for (const DType type : {DType::f16, DType::bf16}) {
    const auto& edges = type == DType::f16 ? f16_edges : bf16_edges;
    const Host table({1, 8}, {std::begin(edges), std::end(edges)});
    const uint32_t ids[] = {0};
    GpuRun run(device().adapter().features);
    const gpu::Tensor x = run.out("x", {1, 8});
    ops::embed(run.encoder(), run.in("token_ids", ids), run.in("token_embd", table, type), x);
    ASSERT_TRUE(run.run());
    EXPECT_TRUE(is_close({"embed", "edges", run.kernels()[0]}, run.values(x), table, {}));
  }
}

TEST(Embed, RefusesWrongShapes) {
  const auto message = [](Shape table, Shape x) {
    return refusal([&](gpu::Encoder& enc) {
      ops::embed(enc, u32({3}, "token_ids"), f32(table, "token_embd"), f32(x, "x"));
    });
  };
  EXPECT_EQ(message({17, 8}, {2, 8}), "embed: x 'x' has shape [2, 8], expected [3, 8]");
  EXPECT_EQ(message({17, 6}, {3, 6}), "embed: in_dim is 6, expected a multiple of 4");
}

}  // namespace
}  // namespace handloom::test
