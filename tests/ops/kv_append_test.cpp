// kv_append against reference::kv_append: f32 pages exactly, f16 pages by rounding to nearest. What
// was in the other slots stays, bit for bit.
#include "ops/kv_append.h"
#include "tests/ops/kv_pages.h"
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

std::string check_kv_append(const ops::Heads& heads, DType type) {
  const uint32_t rows = static_cast<uint32_t>(kPositions.size());
  const Host qkv = ramp({rows, heads.row_dim()}, 1);
  Host kv = ramp_in({kPages, 2 * heads.n_kv_heads, reference::kPageSize, heads.head_dim}, type, 2);
  GpuRun run(device().adapter().features);
  const gpu::Tensor kv_gpu = run.inout("kv", kv, type);
  ops::kv_append(run.encoder(), run.in("qkv", qkv), run.in("positions", kPositions),
                 run.in("page_table", kPageTable), kv_gpu, heads);
  const auto ran = run.run();
  EXPECT_TRUE(ran) << "kv_append " << describe(heads);
  if (!ran) return "";
  reference::kv_append(qkv, kPositions, kPageTable, kv, type);
  EXPECT_TRUE(
      is_close({"kv_append", describe(heads), run.kernels()[0]}, run.values(kv_gpu), kv, {}));
  return run.kernels()[0];
}

TEST(KvAppend, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen;
  for (const DType type : kKvTypes) {
    for_each_heads([&](const ops::Heads& heads) { seen.insert(check_kv_append(heads, type)); });
  }
  EXPECT_EQ(seen, supported_variants("kv_append"));
}

TEST(KvAppend, RefusesWrongShapes) {
  const auto message = [](Shape qkv, Shape kv, ops::Heads heads) {
    return refusal([&](gpu::Encoder& enc) {
      ops::kv_append(enc, f32(qkv, "qkv"), u32({2}, "positions"), u32({3}, "page_table"),
                     f32(kv, "kv"), heads);
    });
  };
  const ops::Heads heads{.n_heads = 4, .n_kv_heads = 2, .head_dim = 8};
  EXPECT_EQ(message({2, 60}, {3, 4, 16, 8}, heads),
            "kv_append: qkv 'qkv' has shape [2, 60], expected [2, 64]");
  EXPECT_EQ(message({2, 64}, {3, 2, 16, 8}, heads),
            "kv_append: kv 'kv' has shape [3, 2, 16, 8], expected [3, 4, 16, 8]");
  EXPECT_EQ(message({2, 64}, {3, 4, 32, 8}, heads),
            "kv_append: kv 'kv' has shape [3, 4, 32, 8], expected [3, 4, 16, 8]");
  EXPECT_EQ(message({2, 24}, {3, 2, 16, 6}, {.n_heads = 2, .n_kv_heads = 1, .head_dim = 6}),
            "kv_append: head_dim is 6, expected a multiple of 4");
}

}  // namespace
}  // namespace handloom::test
