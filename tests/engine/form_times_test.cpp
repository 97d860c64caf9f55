// Measuring forms of products: what is chosen of given times, and real ones on the adapter. How
// long anything takes is printed and never asserted.
#include "engine/form_times.h"
#include "tests/support/gpu_device.h"

#include <chrono>
#include <cmath>
#include <limits>

namespace handloom::test {
namespace {

using engine::FormTime;
using engine::FormTimes;

FormTimes times_of(std::initializer_list<double> us) {
  FormTimes times;
  for (const double value : us) times.forms.push_back({.us = value});
  return times;
}

/// The index of the form that is chosen, or -1.
int chosen(const FormTimes& times) {
  const FormTime* best = engine::fastest(times);
  return best == nullptr ? -1 : static_cast<int>(best - times.forms.data());
}

TEST(FormTimes, TheRuleStaysUnlessAnotherIsClearlyFaster) {
  EXPECT_EQ(chosen(times_of({100, 96, 120})), 0);
  EXPECT_EQ(chosen(times_of({100, 95, 120})), 1);
  EXPECT_EQ(chosen(times_of({100, 94, 50, 93})), 2);
  EXPECT_EQ(chosen(times_of({100})), 0);
}

TEST(FormTimes, TimesThatMakeNoSenseChooseNothing) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(chosen({}), -1);
  EXPECT_EQ(chosen(times_of({0, 50})), -1);
  EXPECT_EQ(chosen(times_of({-3, 50})), -1);
  EXPECT_EQ(chosen(times_of({kNan, 50})), -1);
  EXPECT_EQ(chosen(times_of({100, 0, -50, kNan})), 0);
  FormTimes refused = times_of({100, 50});
  refused.forms[1].failure = "refused";
  EXPECT_EQ(chosen(refused), 0);
  refused.forms[0].failure = "refused";
  EXPECT_EQ(chosen(refused), -1);
}

void print(const FormTimes& times) {
  for (const FormTime& time : times.forms) {
    std::printf("%s %s %u lanes for %u outputs: %.0f us %s%s\n",
                std::string(handloom::to_string(times.weight)).c_str(),
                time.form.subgroups ? "subgroups" : "workgroups", time.form.workgroup_size,
                time.form.n_outputs, time.us, time.form.act == ops::Act::int8 ? "int8" : "f32",
                time.failure.c_str());
  }
}

/// Measures on both clocks, the GPU's and the host's.
TEST(FormTimes, EveryFormHasATime) {
  const Features features = device().features();
  for (const bool timestamps : {features.timestamps, false}) {
    Features restricted = features;
    restricted.timestamps = timestamps;
    device().restrict_features(restricted);
    const uint64_t before = device().memory().total();
    const auto begin = std::chrono::steady_clock::now();
    const DType weights[] = {DType::q4_0, DType::f16};
    // Time enough for every form, on whatever adapter.
    const auto all = engine::measure_forms(device(), weights, {.seconds = 1e6});
    device().restrict_features(features);
    ASSERT_TRUE(all) << all.error().message;
    std::printf("%.1f s\n",
                std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    ASSERT_EQ(all->size(), 2u);
    for (size_t i = 0; i < 2; ++i) {
      const FormTimes& times = (*all)[i];
      print(times);
      EXPECT_EQ(times.weight, weights[i]);
      EXPECT_GT(times.bytes, 0u);
      const auto forms = ops::candidate_forms(device().adapter(), features, weights[i]);
      ASSERT_EQ(times.forms.size(), forms.size());
      for (size_t f = 0; f < forms.size(); ++f) {
        EXPECT_EQ(times.forms[f].form, forms[f]);
        EXPECT_EQ(times.forms[f].failure, "");
        EXPECT_GT(times.forms[f].us, 0);
      }
      EXPECT_NE(engine::fastest(times), nullptr);
    }
    EXPECT_LE(device().memory().total(), before + (1 << 20));  // but for small readbacks
  }
}

TEST(FormTimes, WithoutTimeOnlyTheRuleIsMeasured) {
  const DType weight = DType::q8_0;
  const auto all = engine::measure_forms(device(), {&weight, 1}, {.seconds = 0});
  ASSERT_TRUE(all) << all.error().message;
  const std::vector<FormTime>& forms = all->front().forms;
  EXPECT_GT(forms[0].us, 0);
  ASSERT_GT(forms.size(), 1u);
  for (size_t f = 1; f < forms.size(); ++f) EXPECT_EQ(forms[f].failure, "no time was left");
  EXPECT_EQ(engine::fastest(all->front()), &forms[0]);
}

TEST(FormTimes, ABudgetThatHoldsNoMatrixIsRefused) {
  const DType weight = DType::f32;
  const auto all = engine::measure_forms(device(), {&weight, 1}, {.bytes = 1000});
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code, ErrorCode::out_of_memory);
  EXPECT_TRUE(all.error().message.starts_with("tuning: a layer of f32 needs "))
      << all.error().message;
}

TEST(FormTimes, ALostDeviceIsSaid) {
  auto lost = gpu::open_device("");
  ASSERT_TRUE(lost) << lost.error().message;
  lost->backend().lose_device();
  const DType weight = DType::q4_0;
  const auto all = engine::measure_forms(*lost, {&weight, 1});
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code, ErrorCode::device_lost) << all.error().message;
}

}  // namespace
}  // namespace handloom::test
