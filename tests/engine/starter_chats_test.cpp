// The starter model's greedy ids against tests/golden/starter/reference.json, which Hugging Face
// transformers computed in f32. Where every top-2 margin exceeds 0.3, any correct engine gives
// exactly these ids; elsewhere ids must agree until the first step with a smaller margin.
#include "base/file.h"
#include "base/json.h"
#include "tests/support/paths.h"

#include <handloom/handloom.h>

#include <gtest/gtest.h>

namespace handloom {
namespace {

constexpr double kSafeMargin = 0.3;

struct Case {
  std::string prompt;
  std::vector<uint32_t> prompt_ids, greedy_ids;
  size_t n_certain;  // ids before the first step whose margin is too small; no more are generated
};

std::vector<Case> read_cases() {
  const std::string path = golden_dir() + "/starter/reference.json";
  const Json reference = parse_json(read_text_file(path).value(), path).value();
  std::vector<Case> cases;
  for (const char* group : {"chats", "completions"}) {
    for (const Json& entry : reference[group]) {
      Case c{.prompt = entry["prompt"].get<std::string>(),
             .prompt_ids = entry["prompt_ids"].get<std::vector<uint32_t>>(),
             .greedy_ids = entry["greedy_ids"].get<std::vector<uint32_t>>()};
      c.n_certain = c.greedy_ids.size();
      const auto margins = entry["top2_margin"].get<std::vector<double>>();
      for (size_t i = margins.size(); i-- > 0;) {
        if (margins[i] <= kSafeMargin) c.n_certain = i;
      }
      cases.push_back(std::move(c));
    }
  }
  return cases;
}

struct Storage {
  Precision precision;
  uint32_t kv_slab;  // tokens; 0: chosen
};

class StarterChats : public testing::TestWithParam<Storage> {};

TEST_P(StarterChats, GiveTheReferenceIds) {
  Result<Engine> engine = Engine::load(
      starter_dir(), {.precision = GetParam().precision, .kv_slab = GetParam().kv_slab});
  ASSERT_TRUE(engine) << engine.error().message;
  Result<Session> session = engine->new_session();
  ASSERT_TRUE(session) << session.error().message;

  const std::vector<Case> cases = read_cases();
  ASSERT_EQ(cases.size(), 63u);
  size_t n_exact = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.prompt);
    if (c.n_certain == 0) continue;
    session->reset();
    const auto n = static_cast<uint32_t>(c.n_certain);
    const Result<Generation> got = session->generate(c.prompt_ids, {.max_tokens = n});
    ASSERT_TRUE(got) << got.error().message;
    const std::vector<uint32_t> want(c.greedy_ids.begin(), c.greedy_ids.begin() + n);
    EXPECT_EQ(got->ids, want);
    if (c.n_certain == c.greedy_ids.size()) ++n_exact;
  }
  EXPECT_EQ(n_exact, 39u);
}

INSTANTIATE_TEST_SUITE_P(Precisions, StarterChats,
                         testing::Values(Storage{Precision::f32, 0}, Storage{Precision::f16, 256}),
                         [](const auto& test) {
                           return test.param.precision == Precision::f32 ? "f32" : "f16_slabs";
                         });

}  // namespace
}  // namespace handloom
