// embed_input against reference::embed in every type of weight, and what it leaves for the next
// matrix against x, in every format.
#include "ops/embed.h"
#include "reference/embed.h"
#include "tests/ops/inputs.h"
#include "tests/support/refusal.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

constexpr uint32_t kIds = 17;

struct EmbedCase {
  QuantisedType type;
  uint32_t dim;
  ops::InputFormat format;
  uint32_t id = kIds - 1;
  uint32_t part_rows = ~0u;
  float scale = 1;
};

std::string check_embed(const EmbedCase& c) {
  const QuantisedWeight weight(c.type, kIds, c.dim, 1);
  const Host gamma = ramp({c.dim}, 3);
  const std::vector<uint32_t> ids = {c.id};
  GpuRun run(device().adapter().features);
  const gpu::Tensor x = run.out("x", {1, c.dim});
  ops::Input next = next_input(run, c.dim, c.format);
  ops::embed_input(run.encoder(), run.in("token_ids", ids), weight.on_gpu(run, c.part_rows),
                   run.in("gamma", gamma), x, next, c.scale);
  const std::string what = fmt::format("{} x {}, id {}, scale {}, parts of {}, next {}",
                                       handloom::to_string(c.type.file), c.dim, c.id, c.scale,
                                       c.part_rows, to_string(c.format));
  const auto ran = run.run();
  EXPECT_TRUE(ran) << what;
  if (!ran) return "";
  const Case where{"embed_input", what, run.kernels()[0]};
  const Host got = run.values(x);
  EXPECT_TRUE(is_close(where, got, reference::embed(ids, weight.values(), c.scale), {}));
  Host want = got;
  for (uint32_t i = 0; i < c.dim; ++i) want.values[i] *= gamma.values[i];
  EXPECT_EQ(next.n_sums, c.dim / 8);
  EXPECT_TRUE(holds_input(where, run, next, want, {.roundings = 2}));
  EXPECT_TRUE(holds_squares(where, run, next, got));
  return where.variant;
}

TEST(EmbedInput, MatchesTheReferenceInEveryVariant) {
  std::set<std::string> seen;
  for (const QuantisedType& type : weight_types()) {
    seen.insert(check_embed({type, 3 * row_multiple(type), ops::InputFormat::f32}));
  }
  EXPECT_EQ(seen, supported_variants("embed_input"));
}

TEST(EmbedInput, LeavesEveryFormat) {
  for (const ops::InputFormat format : kInputFormats) {
    check_embed({{DType::f16}, 96, format});
    check_embed({{DType::q4_0}, 96, format});
  }
}

TEST(EmbedInput, FindsEveryIdInEveryPart) {
  for (const uint32_t part_rows : {~0u, 6u, 1u}) {
    for (uint32_t id = 0; id < kIds; ++id) {
      check_embed({{DType::q4_0}, 64, ops::InputFormat::int8_for_nibbles, id, part_rows});
    }
  }
}

TEST(EmbedInput, TakesWidthsBelowAndBeyondAWorkgroup) {
  for (const uint32_t dim : {8, 24, 504, 512, 520, 2080}) {
    check_embed({{DType::f16}, dim, ops::InputFormat::f32});
  }
  for (const uint32_t dim : {32, 512, 544, 5120}) {
    check_embed({{DType::bf16}, dim, ops::InputFormat::int8_for_bytes});
  }
}

TEST(EmbedInput, Scales) {
  for (const float scale : {33.9411255f, 0.5f, 0.0f, -3.0f}) {
    check_embed({{DType::f16}, 96, ops::InputFormat::f32, 3, ~0u, scale});
    check_embed({{DType::q8_0}, 96, ops::InputFormat::f32, 3, ~0u, scale});
  }
}

TEST(EmbedInput, RefusesWrongShapes) {
  const auto message = [](uint32_t n_ids, Shape table, Shape gamma, Shape x) {
    return refusal([&](gpu::Encoder& enc) {
      ops::Input next{.words = u32({ops::input_words(32)}, "next"), .dim = 32};
      ops::embed_input(enc, u32({n_ids}, "token_ids"), f32(table, "token_embd"),
                       f32(gamma, "gamma"), f32(x, "x"), next);
    });
  };
  EXPECT_EQ(message(2, {17, 32}, {32}, {1, 32}),
            "embed_input: token_ids 'token_ids' has shape [2], expected [1]");
  EXPECT_EQ(message(1, {17, 32}, {8}, {1, 32}),
            "embed_input: gamma 'gamma' has shape [8], expected [32]");
  EXPECT_EQ(message(1, {17, 32}, {32}, {2, 32}),
            "embed_input: x 'x' has shape [2, 32], expected [1, 32]");
  EXPECT_EQ(message(1, {17, 8}, {32}, {1, 32}),
            "embed_input: weight 'token_embd' has shape [17, 8], expected [17, 32]");
}

}  // namespace
}  // namespace handloom::test
