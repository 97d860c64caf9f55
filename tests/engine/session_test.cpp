// Sessions on the GPU: streaming, stops, limits, continuation, host against GPU sampling, bad
// input, a lost device.
#include "tests/support/paths.h"

#include <handloom/handloom.h>

#include <gtest/gtest.h>

namespace handloom {
namespace {

/// One engine for all tests of this file: loading is not what they test.
Engine& starter() {
  static Engine engine = [] {
    Result<Engine> loaded = Engine::load(starter_dir(), {.precision = Precision::f32});
    if (!loaded) {
      ADD_FAILURE() << loaded.error().message;
      std::exit(1);
    }
    return std::move(*loaded);
  }();
  return engine;
}

std::vector<uint32_t> chat_ids(const std::string& text) {
  return starter()
      .tokenizer()
      .encode("<|begin|><|im_start|>user\n" + text + "<|im_end|>\n<|im_start|>assistant\n", false)
      .value();
}

Generation generate(Session& session, std::span<const uint32_t> ids, GenerateOptions options) {
  Result<Generation> made = session.generate(ids, options);
  EXPECT_TRUE(made) << (made ? "" : made.error().message);
  return made ? *made : Generation{};
}

std::string refusal(Session& session, std::span<const uint32_t> ids, GenerateOptions options) {
  const Result<Generation> made = session.generate(ids, options);
  EXPECT_FALSE(made);
  return made ? "" : made.error().message;
}

TEST(Session, StreamsExactlyTheTextItReturns) {
  Session session = starter().new_session().value();
  std::string streamed;
  const Generation made = generate(session, chat_ids("What is 17 + 25?"),
                                   {.on_text = [&](std::string_view text, uint32_t) {
                                     streamed += text;
                                     return true;
                                   }});
  EXPECT_EQ(made.text, "17 + 25 = 42.");
  EXPECT_EQ(streamed, made.text);
  EXPECT_EQ(made.finish_reason, FinishReason::stop);
  EXPECT_EQ(made.timings.n_generated, made.ids.size());
}

TEST(Session, EndsBeforeAStopString) {
  Session session = starter().new_session().value();
  std::string streamed;
  const Generation made =
      generate(session, chat_ids("What is 17 + 25?"),
               {.stop = {"never", "= 4"}, .on_text = [&](std::string_view text, uint32_t) {
                  streamed += text;
                  return true;
                }});
  EXPECT_EQ(made.text, "17 + 25 ");
  EXPECT_EQ(streamed, made.text);
  EXPECT_EQ(made.finish_reason, FinishReason::stop);
}

TEST(Session, EndsAtMaxTokensAndSaysLength) {
  Session session = starter().new_session().value();
  const Generation made =
      generate(session, chat_ids("Tell me a story about a blue kite."), {.max_tokens = 5});
  EXPECT_EQ(made.ids.size(), 5u);
  EXPECT_EQ(made.finish_reason, FinishReason::length);
}

TEST(Session, EndsWhenTheCallerSaysSo) {
  Session session = starter().new_session().value();
  int n_calls = 0;
  const Generation made =
      generate(session, chat_ids("Tell me a story about a blue kite."),
               {.on_text = [&](std::string_view, uint32_t) { return ++n_calls < 3; }});
  EXPECT_EQ(made.ids.size(), 3u);
  EXPECT_EQ(made.finish_reason, FinishReason::cancelled);
}

// What was generated in pieces is what would have been generated at once: the overrun of a stopped
// generation leaves no trace.
TEST(Session, ContinuesExactlyAfterACut) {
  Session whole = starter().new_session().value();
  const auto prompt = chat_ids("Tell me a story about a blue kite.");
  const Generation at_once = generate(whole, prompt, {.max_tokens = 24});

  Session cut = starter().new_session().value();
  const Generation head = generate(cut, prompt, {.max_tokens = 10});
  // The next token the whole run took is given as a prompt of one; then both must agree.
  const uint32_t next = at_once.ids[10];
  const Generation tail = generate(cut, std::span(&next, 1), {.max_tokens = 13});
  std::vector<uint32_t> pieces = head.ids;
  pieces.push_back(next);
  pieces.insert(pieces.end(), tail.ids.begin(), tail.ids.end());
  EXPECT_EQ(pieces, at_once.ids);
  EXPECT_EQ(cut.length(), prompt.size() + 24);
}

TEST(Session, ResetForgetsEverything) {
  Session session = starter().new_session().value();
  const auto prompt = chat_ids("What is the capital of France? Answer in one word.");
  const Generation first = generate(session, prompt, {});
  session.reset();
  EXPECT_EQ(session.length(), 0u);
  EXPECT_EQ(generate(session, prompt, {}).ids, first.ids);
  EXPECT_EQ(first.text, "Paris");
}

TEST(Session, TwoSessionsDoNotDisturbEachOther) {
  const auto france = chat_ids("What is the capital of France? Answer in one word.");
  const auto sum = chat_ids("What is 17 + 25?");
  Session a = starter().new_session().value(), b = starter().new_session().value();
  EXPECT_EQ(generate(a, france, {}).text, "Paris");
  EXPECT_EQ(generate(b, sum, {}).text, "17 + 25 = 42.");
  a.reset();
  EXPECT_EQ(generate(a, sum, {}).text, "17 + 25 = 42.");
}

// A logit bias of 0 changes nothing but where the token is chosen: on the host.
TEST(Session, HostAndGpuSamplingChooseTheSameTokens) {
  const auto prompt = chat_ids("Tell me a story about a blue kite.");
  for (const float temperature : {0.0f, 0.8f}) {
    SamplingOptions on_gpu{.temperature = temperature, .seed = 7};
    SamplingOptions on_host = on_gpu;
    on_host.logit_bias = {{0, 0.0f}};
    ASSERT_TRUE(on_gpu.needs_only_temperature());
    ASSERT_FALSE(on_host.needs_only_temperature());
    Session session = starter().new_session().value();
    const Generation gpu = generate(session, prompt, {.max_tokens = 30, .sampling = on_gpu});
    session.reset();
    const Generation host = generate(session, prompt, {.max_tokens = 30, .sampling = on_host});
    EXPECT_EQ(gpu.ids, host.ids) << "temperature " << temperature;
  }
}

TEST(Session, SameSeedSameTextOtherSeedOtherText) {
  const auto prompt = chat_ids("Tell me a story about a blue kite.");
  const auto run = [&](uint64_t seed) {
    Session session = starter().new_session().value();
    return generate(session, prompt,
                    {.max_tokens = 30, .sampling = {.temperature = 1.0f, .seed = seed}})
        .ids;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(Session, FillsTheContextToItsEnd) {
  Result<Engine> small = Engine::load(starter_dir(), {.precision = Precision::f32, .context = 40});
  ASSERT_TRUE(small) << small.error().message;
  Session session = small->new_session().value();
  const auto prompt = chat_ids("Tell me a story about a blue kite.");
  const Generation made = generate(session, prompt, {});
  EXPECT_EQ(made.ids.size(), 40 - prompt.size());
  EXPECT_EQ(made.finish_reason, FinishReason::length);
  EXPECT_EQ(session.length(), 40u);
}

TEST(Session, RefusesWhatCannotBeMeant) {
  Session session = starter().new_session().value();
  EXPECT_EQ(refusal(session, {}, {}), "session: the prompt is empty, expected a token");
  const uint32_t unknown = 2048;
  EXPECT_EQ(refusal(session, std::span(&unknown, 1), {}),
            "session: prompt token 2048 is not in the model's vocabulary of 2048");
  const std::vector<uint32_t> long_prompt(600, 300);
  const std::string too_long = refusal(session, long_prompt, {});
  EXPECT_NE(too_long.find("600"), std::string::npos) << too_long;
  EXPECT_NE(too_long.find("512"), std::string::npos) << too_long;
  refusal(session, chat_ids("Hi"), {.sampling = {.temperature = -1.0f}});
  // Nothing of a refused call stays behind.
  EXPECT_EQ(session.length(), 0u);
  EXPECT_EQ(generate(session, chat_ids("What is 17 + 25?"), {}).text, "17 + 25 = 42.");
}

TEST(Engine, RefusesAContextThatCannotBe) {
  const Result<Engine> beyond = Engine::load(starter_dir(), {.context = 4096});
  ASSERT_FALSE(beyond);
  EXPECT_NE(beyond.error().message.find("4096"), std::string::npos);
  EXPECT_NE(beyond.error().message.find("512"), std::string::npos);
}

TEST(Engine, PlansNameEveryDispatch) {
  const Plan decode = starter().plan_decode(100).value();
  // 8 layers of 12, the embedding, the final norm, the logits, the choice.
  EXPECT_EQ(decode.entries.size(), 8u * 12 + 4);
  EXPECT_EQ(decode.entries.front().kernel, "embed_bf16");
  EXPECT_EQ(decode.entries.back().kernel, "sample_token");
  for (const PlanEntry& entry : decode.entries) EXPECT_GT(entry.bytes, 0u) << entry.kernel;
  EXPECT_FALSE(starter().plan_prefill(0));
  EXPECT_TRUE(starter().plan_prefill(33));
}

TEST(Engine, AccountsForItsMemory) {
  const MemoryUse before = starter().memory();
  EXPECT_GT(before.weights, 13'000'000u);
  {
    Session session = starter().new_session().value();
    EXPECT_EQ(starter().memory().kv_cache,
              before.kv_cache + 512 * starter().model().kv_bytes_per_token);
  }
  EXPECT_EQ(starter().memory().kv_cache, before.kv_cache);
}

TEST(Engine, ALostDeviceIsOneErrorAndStaysOne) {
  Result<Engine> engine = Engine::load(starter_dir(), {.precision = Precision::f32});
  ASSERT_TRUE(engine) << engine.error().message;
  Session session = engine->new_session().value();
  int n_tokens = 0;
  const Result<Generation> made = session.generate(chat_ids("Tell me a story about a blue kite."),
                                                   {.on_text = [&](std::string_view, uint32_t) {
                                                     if (++n_tokens == 4)
                                                       engine->lose_device_for_test();
                                                     return true;
                                                   }});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::device_lost) << made.error().message;
  EXPECT_LE(n_tokens, 6);
  const Result<Generation> again = session.generate(chat_ids("Hi"), {.max_tokens = 1});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::device_lost) << again.error().message;
}

}  // namespace
}  // namespace handloom
