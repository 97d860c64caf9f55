// Which rows of which tensor are a weight's, however the file keeps them.
#include "formats/weight_source.h"

#include "tests/formats/support.h"

namespace handloom::formats {
namespace {

/// Two heads of 4 over one of keys and values, in a model of 8 values a row.
Config small_config() {
  Config c;
  c.model_dim = 8;
  c.n_heads = 2;
  c.n_kv_heads = 1;
  c.head_dim = 4;
  c.ffn_dim = 16;
  return c;
}

TensorInfo matrix(std::string name, uint32_t rows) {
  return {.name = std::move(name), .dtype = DType::f32, .shape = {rows, 8}, .bytes = {}};
}

Checkpoint checkpoint_of(std::vector<TensorInfo> tensors) {
  return Checkpoint::from("test", {}, std::move(tensors)).value();
}

TEST(RowRange, OrdersOfHeadsUndoEachOther) {
  const RowRange pairs{.first_row = 0, .n_rows = 16, .order = HeadOrder::to_pairs, .head_dim = 8};
  const std::vector<uint64_t> expected = {0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15};
  RowRange halves = pairs;
  halves.order = HeadOrder::to_halves;
  for (uint64_t row = 0; row < 16; ++row) {
    EXPECT_EQ(pairs.source_row(row), expected[row]);
    EXPECT_EQ(halves.source_row(pairs.source_row(row)), row);
  }
}

TEST(FindRow, GoesThroughRangesOneBelowTheOther) {
  const TensorInfo a = matrix("a", 10), b = matrix("b", 10);
  const std::vector<RowRange> ranges = {{.tensor = &a, .first_row = 4, .n_rows = 2},
                                        {.tensor = &b, .first_row = 1, .n_rows = 3}};
  using Row = std::pair<const TensorInfo*, uint64_t>;
  EXPECT_EQ(find_row(ranges, 0), Row(&a, 4));
  EXPECT_EQ(find_row(ranges, 1), Row(&a, 5));
  EXPECT_EQ(find_row(ranges, 2), Row(&b, 1));
  EXPECT_EQ(find_row(ranges, 4), Row(&b, 3));
}

TEST(WeightSource, TakesOwnMatricesBeforeTheFusedOne) {
  const Config c = small_config();
  const Checkpoint both = checkpoint_of({matrix("model.layers.0.self_attn.k_proj.weight", 4),
                                         matrix("model.layers.0.self_attn.qkv_proj.weight", 16)});
  const WeightSource source(c, both, Naming::hugging_face);
  ASSERT_OK(const RowRange k, source.part("blk.0.", "attn_k"));
  EXPECT_EQ(k.tensor->name, "model.layers.0.self_attn.k_proj.weight");
  EXPECT_EQ(k.first_row, 0u);
  EXPECT_EQ(k.n_rows, 4u);
  EXPECT_FALSE(source.is_fused("blk.0.", "attn_k"));
  ASSERT_OK(const RowRange v, source.part("blk.0.", "attn_v"));
  EXPECT_EQ(v.tensor->name, "model.layers.0.self_attn.qkv_proj.weight");
  EXPECT_EQ(v.first_row, 12u);
  EXPECT_EQ(v.n_rows, 4u);
  EXPECT_TRUE(source.is_fused("blk.0.", "attn_v"));
}

TEST(WeightSource, TakesTheFusedMatrixWhereTheConfigSaysSo) {
  Config c = small_config();
  c.fused_projections = true;
  // Phi-3 in GGUF: gate and up under the name that up has elsewhere.
  const Checkpoint phi3 = checkpoint_of({matrix("blk.0.ffn_up.weight", 32)});
  const WeightSource source(c, phi3, Naming::gguf);
  ASSERT_OK(const RowRange up, source.part("blk.0.", "ffn_up"));
  EXPECT_EQ(up.first_row, 16u);
  EXPECT_EQ(up.n_rows, 16u);
}

TEST(WeightSource, NamesTheTensorThatTheConfigContradicts) {
  const Config c = small_config();
  const float three[3] = {};
  const Checkpoint wrong = checkpoint_of(
      {matrix("blk.0.attn_q.weight", 7),
       {.name = "blk.0.attn_norm.weight", .shape = {3}, .bytes = std::as_bytes(std::span(three))}});
  const WeightSource source(c, wrong, Naming::gguf);
  expect_error(source.part("blk.0.", "attn_q"), ErrorCode::bad_format,
               {"test: tensor 'blk.0.attn_q.weight' has shape [7, 8], the config says [8, 8]"});
  expect_error(source.vector("blk.0.attn_norm.weight", 8), ErrorCode::bad_format,
               {"'blk.0.attn_norm.weight' has shape [3], the config says [8]"});
  expect_error(source.part("blk.0.", "attn_v"), ErrorCode::not_found, {"blk.0.attn_v.weight"});
}

}  // namespace
}  // namespace handloom::formats
