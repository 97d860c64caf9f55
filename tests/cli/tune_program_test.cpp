// handloom tune, and --tune of the other commands, as people run them. Needs an adapter.
#include "tests/cli/program.h"

namespace cli {
namespace {

/// With a cache folder of its own.
class TuneProgram : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    unsetenv("HANDLOOM_TUNE");
    // Mesa keeps its compiled shaders in the same folder; without them it takes a minute.
    if (const char* home = std::getenv("HOME")) {
      setenv("MESA_SHADER_CACHE_DIR", (std::string(home) + "/.cache").c_str(), 0);
    }
    setenv("XDG_CACHE_HOME", (folder_ / "cache").c_str(), 1);
  }
  void TearDown() override {
    unsetenv("XDG_CACHE_HOME");
    Program::TearDown();
  }

  fs::path tuning_folder() const { return folder_ / "cache/handloom/tuning"; }
  /// The only file in it.
  fs::path tuning_file() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(tuning_folder())) files.push_back(entry.path());
    EXPECT_EQ(files.size(), 1u);
    return files.empty() ? fs::path() : files.front();
  }
  /// The constants of the first product in a plan of the starter model.
  std::string project_constants(const std::string& options = "") {
    const Outcome plan = shell("handloom plan --json " + options);
    EXPECT_EQ(plan.exit_code, 0) << plan.err;
    notices_ = sentences(plan.err);
    const Json parsed = Json::parse(plan.out);
    for (const Json& entry : parsed["entries"]) {
      const std::string kernel = entry["kernel"], constants = entry["constants"];
      if (kernel.starts_with("project_residual_")) return kernel + " " + constants;
    }
    return "";
  }

  std::vector<std::string> notices_;
};

TEST_F(TuneProgram, TuneMeasuresKeepsAndDevicesSaysIt) {
  EXPECT_NE(shell("handloom devices").out.find("  tuned     not yet: handloom tune\n"),
            std::string::npos);
  const Outcome tune = shell("handloom tune");
  ASSERT_EQ(tune.exit_code, 0) << tune.err;
  std::printf("%s", tune.out.c_str());
  EXPECT_EQ(tune.err, "");
  for (const char* weight : {"\nf16 ", "\nq4_0 ", "\nq4_k ", "\nq6_k ", "\nq8_0 "}) {
    EXPECT_NE(tune.out.find(weight), std::string::npos) << weight;
  }
  EXPECT_NE(tune.out.find("kept in " + tuning_file().string()), std::string::npos);
  const Json kept = Json::parse(read_file(tuning_file()))["forms"];
  EXPECT_EQ(kept.size(), 5u);
  const Json devices = Json::parse(shell("handloom devices --json").out);
  const Json& tuned = devices["adapters"][devices["chosen"].get<size_t>()]["tuned"];
  ASSERT_EQ(tuned.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    for (const char* what : {"weight", "workgroup_size", "rows_at_once", "wide_below"}) {
      EXPECT_EQ(tuned[i][what], kept[i][what]) << what;
    }
  }
}

TEST_F(TuneProgram, AModelIsTunedOnFirstUseAlone) {
  project_constants();
  ASSERT_EQ(notices_.size(), 1u);
  EXPECT_TRUE(notices_[0].starts_with("tuning: measured products with ")) << notices_[0];
  const std::string kept = read_file(tuning_file());
  project_constants();
  EXPECT_TRUE(notices_.empty()) << notices_[0];
  EXPECT_EQ(read_file(tuning_file()), kept);
}

TEST_F(TuneProgram, WhatIsKeptIsUsedUnlessToldOtherwise) {
  const std::string by_rule = project_constants("--tune off");
  EXPECT_FALSE(fs::exists(folder_ / "cache")) << "off reads and writes nothing";
  project_constants();  // measures, and leaves a file with the right kernels and driver
  Json kept = Json::parse(read_file(tuning_file()));
  for (Json& form : kept["forms"]) {
    form["act"] = "f32";
    form["subgroups"] = false;
    form["workgroup_size"] = 128;
    form["n_outputs"] = 24;
  }
  write_file(tuning_file(), kept.dump());
  const std::string forced = project_constants();
  EXPECT_NE(forced.find("workgroup_size=128 outputs_per_workgroup=24"), std::string::npos)
      << forced;
  EXPECT_NE(forced.find("_tree"), std::string::npos) << forced;
  EXPECT_NE(by_rule, forced);
  EXPECT_EQ(project_constants("--tune off"), by_rule);
  EXPECT_EQ(project_constants("--matvec f32").find("=24"), std::string::npos);
  EXPECT_EQ(project_constants("--subgroups 1").find("=24"), std::string::npos);
  EXPECT_EQ(shell("export HANDLOOM_TUNE=off; handloom plan --json").out,
            shell("handloom plan --json --tune off").out);

  // A form that nobody would choose computes the same.
  const Outcome verify = shell("handloom verify " + kLlama2);
  EXPECT_EQ(verify.exit_code, 0) << verify.err << verify.out;
}

TEST_F(TuneProgram, ABrokenOrUnwritableCacheIsOneSentence) {
  project_constants();
  write_file(tuning_file(), "{\"version\": 1, ");
  EXPECT_NE(shell("handloom devices").out.find("  tuned     no: " + tuning_file().string()),
            std::string::npos);
  const Outcome broken = shell("handloom run --max-tokens 2 --temperature 0 Hello");
  EXPECT_EQ(broken.exit_code, 0) << broken.err;
  EXPECT_NE(broken.err.find("; it is measured anew\n"), std::string::npos) << broken.err;

  fs::remove_all(folder_ / "cache");
  write_file(folder_ / "cache", "a file where the folder should be");
  const Outcome unwritable = shell("handloom run --max-tokens 2 --temperature 0 Hello");
  EXPECT_EQ(unwritable.exit_code, 0) << unwritable.err;
  EXPECT_EQ(unwritable.out, broken.out);
  EXPECT_NE(unwritable.err.find("; products go by fixed rules, as with --tune off\n"),
            std::string::npos)
      << unwritable.err;
  const Outcome tune = shell("handloom tune");
  EXPECT_EQ(tune.exit_code, 0);
  EXPECT_NE(tune.err.find("tuning: nothing is kept: "), std::string::npos) << tune.err;
}

TEST_F(TuneProgram, WhatTuneRefuses) {
  expect_one_sentence(shell("handloom run --tune maybe Hello"), 2,
                      {"--tune is 'maybe', expected one of auto, off"});
  expect_one_sentence(shell("handloom tune --adapter none-such"), 1, {"none-such"});
}

}  // namespace
}  // namespace cli
