// What is measured once and kept: the cache there and back, and that whatever is wrong with it, or
// with the device, leaves the forms that the rules say, with one sentence.
#include "engine/tuning.h"
#include "engine/tuning_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace handloom::test {
namespace {

namespace fs = std::filesystem;
using engine::FormTimes;
using engine::TuningCache;

AdapterInfo some_gpu() {
  AdapterInfo adapter;
  adapter.name = "Some GPU (rev. 2)";
  adapter.driver = "driver 1.0";
  adapter.backend = "Vulkan";
  adapter.kind = AdapterKind::discrete;
  adapter.limits.max_invocations = 1024;
  adapter.features.subgroups = true;
  adapter.features.min_subgroup_size = adapter.features.max_subgroup_size = 32;
  return adapter;
}

/// A cache folder of its own, and a measurement by which the second candidate is the fastest.
class Tuning : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / (std::string("handloom_tuning_") + test->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    setenv("XDG_CACHE_HOME", folder_.c_str(), 1);
    for (const DType weight : kDTypes) rules_.set(weight, rule(weight));
  }
  void TearDown() override {
    unsetenv("XDG_CACHE_HOME");
    fs::remove_all(folder_);
  }

  ops::ProjectForm rule(DType weight) const {
    return ops::form_by_rule(adapter_, adapter_.features, weight);
  }
  ops::ProjectForm second(DType weight) const {
    return ops::candidate_forms(adapter_, adapter_.features, weight)[1];
  }

  /// As loading a model with such weights does. Forms, sentences and what was measured are left in
  /// the members below.
  void use(std::set<DType> weights) {
    forms_ = rules_;
    notices_.clear();
    measured_.clear();
    const auto measure = [&](std::span<const DType> missing) -> Result<std::vector<FormTimes>> {
      measured_.insert(missing.begin(), missing.end());
      if (!failure_.empty()) return std::unexpected(Error{ErrorCode::device_lost, failure_});
      std::vector<FormTimes> all;
      for (const DType weight : missing) {
        FormTimes times{.weight = weight};
        for (const auto& form : ops::candidate_forms(adapter_, adapter_.features, weight)) {
          times.forms.push_back({.form = form, .us = times.forms.size() == 1 ? 50.0 : rule_us_});
        }
        all.push_back(std::move(times));
      }
      return all;
    };
    tuned_ = engine::use_measured_forms(
        adapter_, weights, measure, [&](std::string_view notice) { notices_.emplace_back(notice); },
        forms_);
  }

  void expect_rules() const {
    for (const DType weight : kDTypes) EXPECT_EQ(forms_.of(weight), rules_.of(weight));
    EXPECT_TRUE(tuned_.weights.empty());
  }

  fs::path path() const { return TuningCache::of(adapter_)->path(); }
  std::string content() const {
    std::stringstream text;
    text << std::ifstream(path()).rdbuf();
    return text.str();
  }
  void replace(const std::string& from, const std::string& to) const {
    std::string text = content();
    ASSERT_NE(text.find(from), std::string::npos) << text;
    std::ofstream(path()) << text.replace(text.find(from), from.size(), to);
  }

  fs::path folder_;
  AdapterInfo adapter_ = some_gpu();
  ops::ProjectForms rules_, forms_;
  std::vector<std::string> notices_;
  std::set<DType> measured_;
  engine::Tuned tuned_;
  std::string failure_;
  double rule_us_ = 100;
};

TEST_F(Tuning, IsMeasuredOnceAndKept) {
  use({DType::q4_0, DType::f16});
  EXPECT_EQ(measured_, (std::set<DType>{DType::f16, DType::q4_0}));
  EXPECT_EQ(tuned_.weights, measured_);
  EXPECT_EQ(forms_.of(DType::q4_0), second(DType::q4_0));
  EXPECT_NE(second(DType::q4_0), rule(DType::q4_0));
  ASSERT_EQ(notices_.size(), 1u);
  EXPECT_TRUE(
      notices_[0].starts_with("tuning: measured products with f16, q4_0 on Some GPU (rev. "
                              "2) in "))
      << notices_[0];
  EXPECT_NE(notices_[0].find(path().string()), std::string::npos) << notices_[0];
  EXPECT_EQ(path().filename().string().substr(0, 15), "some-gpu-rev-2-");

  use({DType::q4_0, DType::f16});
  EXPECT_TRUE(measured_.empty());
  EXPECT_TRUE(notices_.empty());
  EXPECT_EQ(tuned_.seconds, 0);
  EXPECT_EQ(forms_.of(DType::q4_0), second(DType::q4_0));
  EXPECT_EQ(forms_.of(DType::f16), second(DType::f16));
  // The file is alone: nothing that was written on the way is left.
  EXPECT_EQ(std::distance(fs::directory_iterator(path().parent_path()), {}), 1);
}

TEST_F(Tuning, AModelWithOtherWeightsMeasuresThemToo) {
  use({DType::q4_0});
  use({DType::q4_0, DType::q6_k});
  EXPECT_EQ(measured_, std::set<DType>{DType::q6_k});
  use({DType::q4_0, DType::q6_k});
  EXPECT_TRUE(measured_.empty());
}

TEST_F(Tuning, AnotherDriverOrOtherKernelsAreMeasuredAnew) {
  use({DType::q4_0});
  const fs::path first = path();
  adapter_.driver = "driver 1.1";
  EXPECT_NE(path(), first);
  use({DType::q4_0});
  EXPECT_EQ(measured_.size(), 1u);
  adapter_.driver = "driver 1.0";
  use({DType::q4_0});
  EXPECT_TRUE(measured_.empty());

  replace("\"kernels\":\"", "\"kernels\":\"0");
  use({DType::q4_0});
  EXPECT_EQ(measured_.size(), 1u);
  EXPECT_EQ(forms_.of(DType::q4_0), second(DType::q4_0));
  replace("\"driver\":\"driver 1.0", "\"driver\":\"driver 0");  // two whose files have one name
  use({DType::q4_0});
  EXPECT_EQ(measured_.size(), 1u);
}

TEST_F(Tuning, ABrokenFileIsSaidAndMeasuredAnew) {
  use({DType::q4_0});
  const std::string good = content();
  const std::pair<std::string, std::string> broken[] = {
      {"\"version\":1", "\"version\":\"one\""},
      {"\"forms\":[", "\"forms\":{},\"old\":["},
      {"\"forms\":[", "\"forms\":[7,"},
      {"\"weight\":\"q4_0\"", "\"weight\":\"q44\""},
      {"\"act\":\"f32\"", "\"act\":\"int4\""},
      {"\"act\":\"f32\"", "\"act\":true"},
      {"\"workgroup_size\":512", "\"workgroup_size\":511"},
      {"\"workgroup_size\":512", "\"workgroup_size\":4294967296"},
      {"\"n_outputs\":16", "\"n_outputs\":0"},
      {"\"n_outputs\":16", "\"n_outputs\":-8"},
      {"\"rows_at_once\":1", "\"rows_at_once\":3"},
      {good.substr(good.size() / 2), ""},
      {good, ""},
      {good, "null"},
  };
  for (const auto& [from, to] : broken) {
    std::ofstream(path()) << good;
    replace(from, to);
    use({DType::q4_0});
    EXPECT_EQ(measured_.size(), 1u) << to;
    EXPECT_EQ(forms_.of(DType::q4_0), second(DType::q4_0)) << to;
    ASSERT_EQ(notices_.size(), 2u) << to;
    EXPECT_TRUE(notices_[0].starts_with("tuning: " + path().string())) << notices_[0];
    EXPECT_TRUE(notices_[0].ends_with("; it is measured anew")) << notices_[0];
    EXPECT_EQ(content(), good);
  }
}

TEST_F(Tuning, AFolderThatCannotBeWrittenLeavesTheRules) {
  std::ofstream(folder_ / "handloom") << "a file where the folder should be";
  use({DType::q4_0});
  expect_rules();
  EXPECT_TRUE(measured_.empty());  // it would be measured again every time
  ASSERT_EQ(notices_.size(), 1u);
  EXPECT_NE(notices_[0].find("cannot make the folder"), std::string::npos) << notices_[0];
  EXPECT_TRUE(notices_[0].ends_with("; products go by fixed rules, as with --tune off"));
}

TEST_F(Tuning, WithoutACacheFolderTheRulesStay) {
  setenv("XDG_CACHE_HOME", "not/absolute", 1);
  const std::string home = std::getenv("HOME") == nullptr ? "" : std::getenv("HOME");
  unsetenv("HOME");
  use({DType::q4_0});
  setenv("HOME", home.c_str(), 1);
  expect_rules();
  ASSERT_EQ(notices_.size(), 1u);
  EXPECT_TRUE(notices_[0].starts_with("tuning: neither XDG_CACHE_HOME nor HOME ")) << notices_[0];
}

TEST_F(Tuning, ADeviceThatFailsLeavesTheRules) {
  failure_ = "device: the GPU went away";
  use({DType::q4_0});
  expect_rules();
  ASSERT_EQ(notices_.size(), 1u);
  EXPECT_EQ(notices_[0],
            "device: the GPU went away; products go by fixed rules, as with --tune off");
  failure_.clear();  // nothing was kept of it
  use({DType::q4_0});
  EXPECT_EQ(measured_.size(), 1u);
}

TEST_F(Tuning, TimesThatMakeNoSenseLeaveTheRulesAndAreNotKept) {
  for (const double us : {0.0, -1.0}) {
    rule_us_ = us;
    use({DType::q4_0});
    expect_rules();
    ASSERT_FALSE(notices_.empty());
    EXPECT_TRUE(notices_[0].starts_with("tuning: products with q4_0 have no time that makes sense"))
        << notices_[0];
  }
  rule_us_ = 100;
  use({DType::q4_0});
  EXPECT_EQ(measured_.size(), 1u);
}

TEST_F(Tuning, WhereThereIsOneFormNothingIsMeasured) {
  adapter_.features.subgroups = false;
  adapter_.features.min_subgroup_size = adapter_.features.max_subgroup_size = 0;
  rules_.set(DType::f16, rule(DType::f16));
  use({DType::f16});
  EXPECT_TRUE(measured_.empty());
  EXPECT_TRUE(notices_.empty());
  EXPECT_EQ(forms_.of(DType::f16), rule(DType::f16));
}

}  // namespace
}  // namespace handloom::test
