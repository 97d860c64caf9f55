// Wiring, layer by layer: every stage of the tiny reference models against Hugging Face's
// activations, as prefill and token by token, in f32 and f16; and the comparison itself can fail.
#include "tests/support/paths.h"

#include <handloom/handloom.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>

namespace handloom {
namespace {

struct Case {
  const char* model;
  uint32_t n_layers;
  Precision precision;
};

class Verify : public testing::TestWithParam<Case> {};

TEST_P(Verify, EveryStageMatchesTheReference) {
  std::vector<std::string> names;
  double worst = 0;
  const Result<bool> passed =
      verify_folder(golden_dir() + "/" + GetParam().model, {.precision = GetParam().precision},
                    [&](const StageReport& report) {
                      names.push_back(report.name);
                      worst = std::max(worst, report.max_error);
                      EXPECT_TRUE(report.passed)
                          << report.name << ": " << report.max_error << " > " << report.tolerance;
                    });
  ASSERT_TRUE(passed) << passed.error().message;
  EXPECT_TRUE(*passed);
  // hidden.0 to hidden.L, attn and mlp of L layers, logits, in each of three passes.
  EXPECT_EQ(names.size(), 3u * (3 * GetParam().n_layers + 2));
  RecordProperty("worst_relative_error", std::to_string(worst));
  std::printf("worst relative error %.2e\n", worst);
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const Precision precision : {Precision::f32, Precision::f16}) {
    for (const char* model : {"llama2", "llama3.2", "mistral-swa", "phi3", "phi3-longrope", "qwen2",
                              "qwen3", "qwen3-moe", "gemma2"}) {
      cases.push_back({model, 2, precision});
    }
    cases.push_back({"gemma3", 3, precision});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Models, Verify, testing::ValuesIn(all_cases()), [](const auto& test) {
  std::string name = test.param.model;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name + (test.param.precision == Precision::f32 ? "_f32" : "_f16");
});

TEST(VerifyAgainstCpu, TheStarterMatchesThePlainLoops) {
  for (const Precision precision : {Precision::f32, Precision::f16}) {
    Result<Engine> engine = Engine::load(starter_dir(), {.precision = precision});
    ASSERT_TRUE(engine) << engine.error().message;
    std::vector<uint32_t> ids =
        engine->tokenizer().encode("Once upon a time, there was", true).value();
    size_t n_stages = 0;
    const Result<bool> passed = verify_against_cpu(*engine, ids, [&](const StageReport& report) {
      ++n_stages;
      EXPECT_TRUE(report.passed) << report.name << ": " << report.max_error;
    });
    ASSERT_TRUE(passed) << passed.error().message;
    EXPECT_TRUE(*passed);
    EXPECT_EQ(n_stages, 3u * (8 + 1 + 2 * 8 + 1));
  }
}

// A checker that cannot fail proves nothing: one changed weight must be found, in its own layer.
TEST(VerifyItself, FindsAChangedWeight) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / "handloom_verify_itself";
  fs::remove_all(folder);
  fs::copy(golden_dir() + "/llama2", folder);
  fs::permissions(folder / "model.safetensors", fs::perms::owner_write, fs::perm_options::add);
  {
    // The last 64 kB hold a matrix of the last layer or the head: flip signs throughout.
    std::fstream file(folder / "model.safetensors",
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(0, std::ios::end);
    const auto size = static_cast<long>(file.tellg());
    for (long at = size - 65536 + 1; at < size; at += 2) {
      file.seekg(at);
      const int byte = file.get();
      file.seekp(at);
      file.put(static_cast<char>(byte ^ 0x80));
    }
  }
  std::vector<StageReport> reports;
  const Result<bool> passed = verify_folder(folder, {.precision = Precision::f32},
                                            [&](const StageReport& r) { reports.push_back(r); });
  fs::remove_all(folder);
  ASSERT_TRUE(passed) << passed.error().message;
  EXPECT_FALSE(*passed);
  ASSERT_FALSE(reports.empty());
  EXPECT_FALSE(reports.back().passed);
  for (size_t i = 0; i + 1 < reports.size(); ++i) EXPECT_TRUE(reports[i].passed);
}

}  // namespace
}  // namespace handloom
