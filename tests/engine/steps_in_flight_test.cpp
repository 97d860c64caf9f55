// Several decode steps in flight: the same tokens however many there are and wherever they are
// chosen; what was submitted beyond an end leaves no trace; a device lost meanwhile.

// g++ 12 asks that a designated initialiser name every member without a default of its own.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#include "engine/pace.h"
#include "tests/engine/support.h"
#include "tests/support/paths.h"

#include <handloom/handloom.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace handloom::test {
namespace {

using engine::Pace;
using std::chrono::milliseconds;

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

const SamplingOptions kEverything = {.temperature = 1.1f,
                                     .top_k = 60,
                                     .top_p = 0.95f,
                                     .min_p = 0.01f,
                                     .repeat_penalty = 1.25f,
                                     .frequency_penalty = 0.25f,
                                     .presence_penalty = 0.5f,
                                     .logit_bias = {{300, 1.5f}, {20, -2.0f}},
                                     .seed = 11};

TEST(StepsInFlight, ChangeNoToken) {
  const auto prompt = chat_ids("Tell me a story about a blue kite.");
  const std::pair<std::string, SamplingOptions> cases[] = {
      {"greedy", {}}, {"temperature", {.temperature = 0.9f, .seed = 4}}, {"all", kEverything}};
  for (const auto& [name, sampling] : cases) {
    GenerateOptions options = {.max_tokens = 18, .sampling = sampling, .sample_on_host = true};
    Session session = starter().new_session().value();
    const Generation on_host = generate(session, prompt, options);
    EXPECT_EQ(on_host.timings.steps_in_flight, 1u);
    options.sample_on_host = false;
    for (const uint32_t n : {1u, 2u, 8u}) {
      session.reset();
      options.steps_in_flight = n;
      const Generation on_gpu = generate(session, prompt, options);
      EXPECT_EQ(on_gpu.ids, on_host.ids) << name << ", " << n << " in flight";
      EXPECT_EQ(on_gpu.text, on_host.text) << name << ", " << n << " in flight";
      EXPECT_EQ(on_gpu.timings.steps_in_flight, n);
      EXPECT_GT(on_gpu.timings.visible_ms, 0);
    }
  }
}

// Wherever it ends, the session holds what it handed out, and goes on as if no more had been
// submitted.
TEST(StepsInFlight, OverrunLeavesNoTrace) {
  const auto prompt = chat_ids("Tell me a story about a blue kite.");
  Session session = starter().new_session().value();
  const Generation whole = generate(session, prompt, {.max_tokens = 20, .steps_in_flight = 1});
  ASSERT_EQ(whole.ids.size(), 20u);
  const auto& ids = whole.ids;
  const std::string stop = starter().tokenizer().decode(std::span(ids).subspan(4, 3)).value();
  for (const bool by_text : {false, true}) {
    session.reset();
    GenerateOptions options = {.max_tokens = 5, .steps_in_flight = 8};
    if (by_text) options = {.stop = {stop}, .steps_in_flight = 8};
    const Generation head = generate(session, prompt, options);
    ASSERT_LT(head.ids.size(), 8u);
    if (by_text) {
      EXPECT_EQ(head.text, whole.text.substr(0, whole.text.find(stop)));
    } else {
      EXPECT_EQ(head.ids.size(), 5u);
    }
    const size_t n = head.ids.size();
    EXPECT_EQ(session.length(), prompt.size() + n);
    EXPECT_TRUE(std::equal(head.ids.begin(), head.ids.end(), ids.begin()));
    const Generation tail =
        generate(session, std::span(ids).subspan(n, 1),
                 {.max_tokens = static_cast<uint32_t>(19 - n), .steps_in_flight = 8});
    EXPECT_EQ(tail.ids, std::vector(ids.begin() + static_cast<long>(n) + 1, ids.end()));
    EXPECT_EQ(tail.timings.n_prompt, 2u);  // the last of the head, which no step evaluated, and one
  }
}

TEST(StepsInFlight, EndWithTheContext) {
  Engine small = Engine::load(starter_dir(), {.precision = Precision::f32, .context = 40}).value();
  const auto prompt = chat_ids("Tell me a story about a blue kite.");
  Session session = small.new_session().value();
  const Generation want = generate(session, prompt, {.steps_in_flight = 1});
  EXPECT_EQ(session.length(), 40u);
  session.reset();
  const Generation got = generate(session, prompt, {.steps_in_flight = 64});
  EXPECT_EQ(got.ids, want.ids);
  EXPECT_EQ(got.finish_reason, FinishReason::length);
  EXPECT_EQ(session.length(), 40u);
}

// Counts of what was generated, overrun included, belong to one generation alone.
TEST(StepsInFlight, PenaltiesForgetWhatWasRewound) {
  const auto prompt = chat_ids("Tell me a story about a blue kite.");
  const GenerateOptions options = {.max_tokens = 15, .sampling = kEverything, .steps_in_flight = 8};
  Session session = starter().new_session().value();
  const Generation want = generate(session, prompt, options);
  ASSERT_TRUE(session.rewind(static_cast<uint32_t>(prompt.size() - 1)));
  const Generation again = generate(session, std::span(prompt).last(1), options);
  EXPECT_EQ(again.ids, want.ids);
  EXPECT_EQ(again.timings.n_prompt, 1u);

  GenerateOptions on_host = options;
  on_host.sample_on_host = true;
  const auto more = chat_ids("And then?");
  const Generation next = generate(session, more, options);
  ASSERT_TRUE(session.rewind(static_cast<uint32_t>(prompt.size() + want.ids.size())));
  EXPECT_EQ(generate(session, more, on_host).ids, next.ids);
}

TEST(StepsInFlight, CrossSlabs) {
  constexpr uint32_t kContext = 700;
  const LongModel model("llama2", kContext);
  Engine slabs =
      Engine::load(model.folder(), {.precision = Precision::f32, .kv_slab = 256}).value();
  std::vector<uint32_t> prompt(240);
  for (uint32_t i = 0; i < prompt.size(); ++i) prompt[i] = i * 7919 % slabs.model().vocab_size;
  Session session = slabs.new_session().value();
  const Generation want = generate(session, prompt, {.max_tokens = 300, .steps_in_flight = 1});
  session.reset();
  EXPECT_EQ(generate(session, prompt, {.max_tokens = 300, .steps_in_flight = 16}).ids, want.ids);
}

TEST(StepsInFlight, ALostDeviceGivesNoWrongToken) {
  const auto prompt = chat_ids("Tell me a story about a blue kite.");
  Session whole = starter().new_session().value();
  const auto want = generate(whole, prompt, {.max_tokens = 24}).ids;
  Engine engine = Engine::load(starter_dir(), {.precision = Precision::f32}).value();
  Session session = engine.new_session().value();
  std::vector<uint32_t> got;
  const auto made = session.generate(
      prompt, {.steps_in_flight = 8, .on_text = [&](std::string_view, uint32_t token_id) {
                 got.push_back(token_id);
                 if (got.size() == 6) engine.lose_device_for_test();
                 return true;
               }});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::device_lost) << made.error().message;
  EXPECT_LE(got.size(), 6u + 8);
  ASSERT_LE(got.size(), want.size());
  EXPECT_TRUE(std::equal(got.begin(), got.end(), want.begin()));
  const auto again = session.generate(prompt, {.max_tokens = 1});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::device_lost) << again.error().message;
}

TEST(StepsInFlight, RefuseMoreThanAreKept) {
  Session session = starter().new_session().value();
  const auto made = session.generate(chat_ids("Hi"), {.steps_in_flight = 65});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(made.error().message,
            "session: steps_in_flight is 65, expected at most 64 (0: chosen)");
}

TEST(StepsInFlight, SaysWhenNoTokenCanBeChosen) {
  SamplingOptions bans;
  for (uint32_t id = 0; id < starter().model().vocab_size; ++id) {
    bans.logit_bias.push_back({id, -std::numeric_limits<float>::infinity()});
  }
  Session session = starter().new_session().value();
  const auto made = session.generate(chat_ids("Hi"), {.sampling = bans});
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("every logit is NaN or -infinity"), std::string::npos)
      << made.error().message;
}

TEST(Pace, CoversTheWayBackWithSteps) {
  EXPECT_EQ(Pace(0, 0.4, 0).steps_in_flight(), 2u);  // nothing is known of the steps
  EXPECT_EQ(Pace(0, 0.4, 30).steps_in_flight(), 2u);
  EXPECT_EQ(Pace(0, 9.9, 5).steps_in_flight(), 3u);
  EXPECT_EQ(Pace(0, 0.4, 1.4).steps_in_flight(), 3u);  // 4 ms of work at least
  EXPECT_EQ(Pace(0, 0.4, 0.6).steps_in_flight(), 7u);
  EXPECT_EQ(Pace(0, 0.4, 0.001).steps_in_flight(), 16u);
  EXPECT_EQ(Pace(7, 0.4, 0.001).steps_in_flight(), 7u);
}

TEST(Pace, SubmitsTogetherWhatDoesNotShowAsABurst) {
  EXPECT_EQ(Pace(0, 0.4, 0).steps_per_submit(), 1u);
  EXPECT_EQ(Pace(0, 0.4, 0.9).steps_per_submit(), 2u);  // 5 in flight
  EXPECT_EQ(Pace(0, 0.4, 0.1).steps_per_submit(), 8u);
  EXPECT_EQ(Pace(16, 0.4, 0.1).steps_per_submit(), 8u);
  EXPECT_EQ(Pace(16, 0.4, 3).steps_per_submit(), 2u);  // 6 ms
  EXPECT_EQ(Pace(16, 0.4, 100).steps_per_submit(), 1u);
  EXPECT_EQ(Pace(1, 0.4, 0.1).steps_per_submit(), 1u);
}

TEST(Pace, MeasuresStepsAndWhenTheyShow) {
  Pace pace(0, 1, 0);
  EXPECT_EQ(pace.visible_ms(), 0);
  const Pace::Clock::time_point start = {};
  // Two steps a submit, each submit made as the one before the last is read: 4 ms a step.
  pace.saw(2, start, start - milliseconds(50), start + milliseconds(8));
  EXPECT_DOUBLE_EQ(pace.step_ms(), 4);
  pace.saw(2, start, start + milliseconds(8), start + milliseconds(16));
  pace.saw(2, start + milliseconds(8), start + milliseconds(16), start + milliseconds(24));
  EXPECT_DOUBLE_EQ(pace.step_ms(), 4);
  EXPECT_DOUBLE_EQ(pace.visible_ms(), 16);
}

}  // namespace
}  // namespace handloom::test
