// Sessions on the GPU: streaming, stops, limits, continuation, bad input, a lost device.
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

// Takes all of `made` back to the first `n_kept` of its tokens and lets the session find the rest
// again: with nothing computed twice it must say what it said.
void expect_same_again(Session& session, size_t n_prompt, const std::vector<uint32_t>& ids,
                       size_t n_kept) {
  SCOPED_TRACE(n_kept);
  ASSERT_LT(n_kept, ids.size());
  ASSERT_TRUE(session.rewind(static_cast<uint32_t>(n_prompt + n_kept)));
  ASSERT_EQ(session.length(), n_prompt + n_kept);
  const Generation tail = generate(session, std::span(ids).subspan(n_kept, 1),
                                   {.max_tokens = static_cast<uint32_t>(ids.size() - n_kept - 1)});
  EXPECT_EQ(tail.ids, std::vector(ids.begin() + static_cast<long>(n_kept) + 1, ids.end()));
  EXPECT_EQ(tail.timings.n_prompt, 1u);
}

TEST(Session, RewindKeepsWhatWasEvaluated) {
  const auto prompt = chat_ids("Tell me a story about a blue kite.");
  for (const bool on_host : {false, true}) {
    SCOPED_TRACE(on_host ? "chosen on the host" : "chosen on the GPU");
    Session session = starter().new_session().value();
    const auto ids = generate(session, prompt, {.max_tokens = 24, .sample_on_host = on_host}).ids;
    ASSERT_EQ(ids.size(), 24u);
    const std::vector<uint32_t> held(session.ids().begin(), session.ids().end());
    EXPECT_TRUE(std::equal(prompt.begin(), prompt.end(), held.begin()));
    EXPECT_TRUE(
        std::equal(ids.begin(), ids.end(), held.begin() + static_cast<long>(prompt.size())));
    for (const size_t n_kept : {22, 9, 1, 0})
      expect_same_again(session, prompt.size(), ids, n_kept);

    // Into the prompt: only its last token is evaluated again.
    ASSERT_TRUE(session.rewind(static_cast<uint32_t>(prompt.size() - 1)));
    const Generation again = generate(session, std::span(prompt).last(1), {.max_tokens = 24});
    EXPECT_EQ(again.ids, ids);
    EXPECT_EQ(again.timings.n_prompt, 1u);
  }
}

// Another story after a rewind is the story of a fresh session: nothing of the old one is left.
TEST(Session, RewindForgetsWhatCameAfter) {
  const auto story = chat_ids("Tell me a story about a blue kite.");
  const auto sum = chat_ids("What is 17 + 25?");
  size_t n_common = 0;
  while (story[n_common] == sum[n_common]) ++n_common;
  ASSERT_GT(n_common, 2u);
  Session session = starter().new_session().value();
  generate(session, story, {.max_tokens = 100});
  ASSERT_TRUE(session.rewind(static_cast<uint32_t>(n_common)));
  const Generation made = generate(session, std::span(sum).subspan(n_common), {});
  EXPECT_EQ(made.text, "17 + 25 = 42.");
  EXPECT_EQ(made.timings.n_prompt, sum.size() - n_common);
}

// A generation that was broken off leaves steps in flight and a token that is chosen but not
// evaluated, whichever way it ended.
TEST(Session, RewindAfterACancelledGenerationAndAStopString) {
  const auto prompt = chat_ids("Tell me a story about a blue kite.");
  Session whole = starter().new_session().value();
  const auto ids = generate(whole, prompt, {.max_tokens = 24}).ids;

  int n_calls = 0;
  Session cancelled = starter().new_session().value();
  const Generation head = generate(
      cancelled, prompt, {.on_text = [&](std::string_view, uint32_t) { return ++n_calls < 12; }});
  ASSERT_EQ(head.ids.size(), 12u);
  // All that is held, the last token unevaluated: that one and the next are evaluated.
  ASSERT_TRUE(cancelled.rewind(cancelled.length()));
  const Generation tail = generate(cancelled, std::span(ids).subspan(12, 1), {.max_tokens = 11});
  EXPECT_EQ(tail.timings.n_prompt, 2u);
  EXPECT_EQ(tail.ids, std::vector(ids.begin() + 13, ids.end()));
  expect_same_again(cancelled, prompt.size(), ids, 5);

  Session stopped = starter().new_session().value();
  const std::string word = starter().tokenizer().decode(std::span(ids).subspan(6, 1)).value();
  const Generation short_one = generate(stopped, prompt, {.stop = {word}});
  ASSERT_EQ(short_one.finish_reason, FinishReason::stop);
  ASSERT_LE(short_one.ids.size(), 7u);
  expect_same_again(stopped, prompt.size(), ids, short_one.ids.size() - 1);
}

TEST(Session, RewindCannotGoForward) {
  Session session = starter().new_session().value();
  generate(session, chat_ids("Hi"), {.max_tokens = 3});
  const uint32_t n_held = session.length();
  const Result<void> refused = session.rewind(n_held + 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(refused.error().message, "session: " + std::to_string(n_held + 1) +
                                         " tokens are to be kept, " + std::to_string(n_held) +
                                         " are held; expected at most that many");
  EXPECT_EQ(session.length(), n_held);
  ASSERT_TRUE(session.rewind(0));
  EXPECT_EQ(generate(session, chat_ids("What is 17 + 25?"), {}).text, "17 + 25 = 42.");
}

TEST(Session, EndsAtACallersOwnEndToken) {
  const auto prompt = chat_ids("Tell me a story about a blue kite.");
  Session session = starter().new_session().value();
  const auto ids = generate(session, prompt, {.max_tokens = 10}).ids;
  session.reset();
  const Generation made = generate(session, prompt, {.stop_ids = {2000, ids[4]}});
  ASSERT_LE(made.ids.size(), 5u);
  EXPECT_EQ(made.ids.back(), ids[4]);
  EXPECT_EQ(made.finish_reason, FinishReason::stop);
  // Its text is not part of the answer.
  EXPECT_EQ(made.text,
            starter().tokenizer().decode(std::span(ids).first(made.ids.size() - 1)).value());
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
  // 8 layers of 4 (a GPU's have 5), the embedding, the logits, the choice in two.
  const bool is_software = starter().adapter().kind == AdapterKind::software;
  EXPECT_EQ(decode.entries.size(), 8u * (is_software ? 4 : 5) + 4);
  EXPECT_EQ(decode.entries.front().kernel, "embed_input_bf16");
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
    // Pages come with the tokens: all 512 at once here, because the first slab is longer.
    EXPECT_EQ(starter().memory().kv_cache, before.kv_cache);
    generate(session, chat_ids("Hi"), {.max_tokens = 1});
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
