// How long a context fits, what is said when more is asked for, and what a dry run foretells.
#include "tests/engine/support.h"

#include <handloom/handloom.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace handloom {
namespace {

using test::LongModel;

LoadOptions f32_options() { return {.precision = Precision::f32}; }

std::string refusal(const std::string& folder, const LoadOptions& options) {
  const Result<Engine> engine = Engine::load(folder, options);
  EXPECT_FALSE(engine);
  if (engine) return "";
  EXPECT_EQ(engine.error().code, ErrorCode::out_of_memory);
  return engine.error().message;
}

// A model made for a huge context, on an adapter that cannot bind that much.
TEST(Context, BeyondMemorySaysWhatFits) {
  const LongModel model("llama2", 16000000);
  LoadOptions options = f32_options();
  options.context = 16000000;
  const std::string message = refusal(model.folder(), options);
  EXPECT_NE(message.find("16000000 tokens"), std::string::npos) << message;
  EXPECT_NE(message.find("tokens fit on this adapter; use --context"), std::string::npos)
      << message;
}

TEST(Context, OfABudgetIsTheLongestThatFitsIt) {
  const LongModel model("llama2", 8192);
  LoadOptions options = f32_options();
  const MemoryEstimate whole = Engine::estimate(model.folder(), options).value();
  EXPECT_EQ(whole.context, 8192u);
  EXPECT_TRUE(whole.fits);

  options.memory_budget = whole.use.total() / 2;
  const MemoryEstimate half = Engine::estimate(model.folder(), options).value();
  EXPECT_TRUE(half.fits);
  EXPECT_EQ(half.context, half.fitting_context);
  EXPECT_LE(half.use.total(), options.memory_budget);
  EXPECT_GT(half.context, 1024u);
  Result<Engine> engine = Engine::load(model.folder(), options);
  ASSERT_TRUE(engine) << engine.error().message;
  EXPECT_EQ(engine->model().context, half.context);
  Session session = engine->new_session().value();
  ASSERT_TRUE(session.generate(std::vector<uint32_t>{1, 2, 3}, {.max_tokens = 2}));
  EXPECT_GT(engine->memory().kv_cache, 0u);
  EXPECT_LE(engine->memory().total(), options.memory_budget);

  // What does not fit is refused, and what the refusal names fits.
  options.context = half.context + 16;
  EXPECT_FALSE(Engine::estimate(model.folder(), options).value().fits);
  const std::string message = refusal(model.folder(), options);
  EXPECT_NE(message.find("the memory budget is"), std::string::npos) << message;
  const std::string hint = fmt::format("{0} tokens fit in it; use --context {0}", half.context);
  EXPECT_NE(message.find(hint), std::string::npos) << message;
  options.context = half.context;
  EXPECT_TRUE(Engine::load(model.folder(), options));
}

TEST(Context, ABudgetBelowTheModelItselfSaysSo) {
  LoadOptions options = f32_options();
  options.memory_budget = 100'000;
  const std::string message = refusal(starter_dir(), options);
  EXPECT_NE(message.find("a context of 16 tokens already needs"), std::string::npos) << message;
  EXPECT_NE(message.find("use a larger --memory-budget or a smaller model"), std::string::npos)
      << message;
  const MemoryEstimate estimate = Engine::estimate(starter_dir(), options).value();
  EXPECT_FALSE(estimate.fits);
  EXPECT_EQ(estimate.fitting_context, 0u);
}

TEST(Context, AnEstimateRefusesWhatCannotBeMeant) {
  LoadOptions options = f32_options();
  options.context = 4096;
  const auto beyond = Engine::estimate(starter_dir(), options);
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().message,
            "engine: a context of 4096 tokens is asked for, the model was made for 512");
  EXPECT_FALSE(Engine::estimate("/nowhere", f32_options()));
}

class EstimateOf : public testing::TestWithParam<const char*> {
 protected:
  static void expect_held_as_foretold(const LoadOptions& options) {
    const std::string folder = golden_dir() + "/" + GetParam();
    const MemoryUse foretold = Engine::estimate(folder, options).value().use;
    Result<Engine> engine = Engine::load(folder, options);
    ASSERT_TRUE(engine) << engine.error().message;
    Session session = engine->new_session().value();
    const std::vector<uint32_t> ids(engine->model().context - 2, 5);
    ASSERT_TRUE(session.generate(ids, {}));
    const MemoryUse held = engine->memory();
    EXPECT_EQ(held.kv_cache, foretold.kv_cache);
    EXPECT_EQ(held.activations, foretold.activations);
    EXPECT_NEAR(static_cast<double>(held.weights), static_cast<double>(foretold.weights),
                0.01 * static_cast<double>(held.weights));
    EXPECT_LE(held.other, foretold.other);
    EXPECT_GE(2 * held.other, foretold.other / 2);
  }
};

// What a dry run foretells is what is held once a session's context is full.
TEST_P(EstimateOf, IsWhatIsHeldInTheEnd) {
  for (const KvType kv : {KvType::f32, KvType::f16, KvType::int8}) {
    for (const Precision precision : {Precision::f32, Precision::f16}) {
      expect_held_as_foretold({.precision = precision, .kv = kv});
    }
  }
}

TEST_P(EstimateOf, ThePlainPlanIsWhatIsHeldInTheEnd) {
  expect_held_as_foretold({.precision = Precision::f32, .plan = PlanKind::plain});
}

INSTANTIATE_TEST_SUITE_P(Models, EstimateOf,
                         testing::Values("llama2", "qwen2", "qwen3-moe", "gemma3"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace handloom
