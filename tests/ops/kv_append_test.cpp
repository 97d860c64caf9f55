// kv_append against reference::kv_append: f32 pages exactly, f16 and int8 pages by rounding to
// nearest. What was in the other slots stays, bit for bit.
#include "ops/kv_append.h"
#include "checks/kv_pages.h"
#include "tests/support/close.h"
#include "tests/support/gpu_run.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

/// Rows of few sizes, large and small, and one of zeros.
Host make_qkv(const ops::Heads& heads) {
  const uint32_t rows = static_cast<uint32_t>(kPositions.size());
  Host qkv = ramp({rows, heads.row_dim()}, 1);
  for (uint32_t r = 0; r < rows; ++r) {
    const float size = r == 3 ? 0.0f : std::ldexp(1.0f, 3 * static_cast<int>(r) - 10);
    for (float& x : qkv.row(r)) x *= size;
  }
  return qkv;
}

/// Scales as the reference has them; codes, too, but where x / scale, which WGSL allows 2.5 ULP, is
/// that close to a tie.
void expect_int8_rows(const Host& qkv, const Host& kv, std::span<const uint32_t> got,
                      std::vector<uint32_t> untouched) {
  const uint32_t head_dim = kv.dim(3), n_kv_rows = kv.dim(1);
  for (size_t r = 0; r < kPositions.size(); ++r) {
    for (uint32_t h = 0; h < n_kv_rows; ++h) {
      const auto x = qkv.row(r).last(size_t{n_kv_rows} * head_dim).subspan(h * head_dim, head_dim);
      const float scale = reference::int8_scale(x);
      const Int8Row at(kv, reference::kv_row(kv, kPageTable, h, kPositions[r]));
      const uint32_t shift = at.is_value ? 16 : 0;
      ASSERT_EQ(got[at.scale] >> shift & 0xffff, f32_to_f16(scale)) << "row " << r << " head " << h;
      untouched[at.scale] &= ~(0xffffu << shift);
      untouched[at.scale] |= (got[at.scale] >> shift & 0xffff) << shift;
      for (uint32_t i = 0; i < head_dim; ++i) {
        const int code = static_cast<int8_t>(got[at.codes + i / 4] >> (i % 4 * 8));
        const double exact = double{x[i]} / scale;
        const double to_tie = std::abs(exact - std::floor(exact) - 0.5);
        if (to_tie > 5 * kU * 128) {
          ASSERT_EQ(code, reference::int8_code(x[i], scale)) << "row " << r << " value " << i;
        } else {
          ASSERT_LE(std::abs(code - exact), 0.5001) << "row " << r << " value " << i;
        }
        untouched[at.codes + i / 4] = got[at.codes + i / 4];
      }
    }
  }
  // What belongs to other rows is as it was.
  EXPECT_TRUE(std::ranges::equal(got, untouched));
}

std::string check_kv_append(const ops::Heads& heads, DType type, const Features& features) {
  const Host qkv = make_qkv(heads);
  Host kv = ramp({kPages, 2 * heads.n_kv_heads, reference::kPageSize, heads.head_dim}, 2);
  if (type != DType::i8) reference::round_to(kv.values, type);
  const std::vector<uint32_t> before = page_words(kv, type);
  GpuRun run(features);
  const gpu::Tensor kv_gpu = run.inout("kv", pages_shape(kv, type), type, before);
  ops::kv_append(run.encoder(), run.in("qkv", qkv), run.in("positions", kPositions),
                 run.in("page_table", kPageTable), kv_gpu, heads);
  const auto ran = run.run();
  EXPECT_TRUE(ran) << "kv_append " << describe(heads);
  if (!ran) return "";
  if (type == DType::i8) {
    expect_int8_rows(qkv, kv, run.words(kv_gpu), before);
    return run.kernels()[0];
  }
  reference::kv_append(qkv, kPositions, kPageTable, kv, type);
  EXPECT_TRUE(
      is_close({"kv_append", describe(heads), run.kernels()[0]}, run.values(kv_gpu), kv, {}));
  return run.kernels()[0];
}

TEST(KvAppend, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen, all = supported_variants("kv_append");
  all.merge(supported_variants("kv_append_int8"));
  for (const Features& features : feature_sets()) {
    for (const DType type : kKvTypes) {
      for_each_heads(
          [&](const ops::Heads& heads) { seen.insert(check_kv_append(heads, type, features)); });
    }
  }
  EXPECT_EQ(seen, all);
}

TEST(KvAppend, LeavesRowsOfOtherSlabsOut) {
  const ops::Heads heads{.n_heads = 2, .n_kv_heads = 2, .head_dim = 8};
  const Host qkv = ramp({4, heads.row_dim()}, 1);
  const std::vector<uint32_t> positions = {255, 256, 511, 512};
  std::vector<uint32_t> pages(48);
  for (uint32_t i = 0; i < pages.size(); ++i) pages[i] = i % 16;  // within the slab
  for (const DType type : kKvTypes) {
    Host kv = reference::make_kv(16, heads.n_kv_heads, heads.head_dim);
    GpuRun run(device().adapter().features);
    const gpu::Tensor slab =
        run.inout("kv", pages_shape(kv, type), type,
                  std::vector<uint32_t>(pages_shape(kv, type).count() * dtype_bytes(type) / 4));
    ops::kv_append(run.encoder(), run.in("qkv", qkv), run.in("positions", positions),
                   run.in("page_table", pages), slab, heads, {.first = 256, .end = 512});
    ASSERT_TRUE(run.run());
    // The two rows in the middle are the first and the last slot of the slab.
    const Host inner({2, heads.row_dim()},
                     {qkv.values.begin() + heads.row_dim(), qkv.values.end() - heads.row_dim()});
    reference::kv_append(inner, std::vector<uint32_t>{0, 255}, pages, kv, type);
    std::vector<uint32_t> want = page_words(kv, type);
    if (type == DType::i8) {  // the rows not written have no scale
      for (size_t r = 0; r < kv.n_rows(); ++r) {
        const Int8Row at(kv, r);
        if (kv.row(r)[0] == 0) want[at.scale] = 0;
      }
    }
    EXPECT_TRUE(std::ranges::equal(run.words(slab), want)) << to_string(type);
  }
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
