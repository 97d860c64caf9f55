// Forms of products: what the rule says of devices, and what is worth measuring there.
#include "ops/project_form.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace handloom::test {
namespace {

AdapterInfo gpu_of(uint32_t subgroup_size, uint32_t max_invocations = 1024) {
  AdapterInfo adapter;
  adapter.kind = AdapterKind::discrete;
  adapter.limits.max_invocations = max_invocations;
  adapter.features.subgroups = subgroup_size > 0;
  adapter.features.min_subgroup_size = adapter.features.max_subgroup_size = subgroup_size;
  return adapter;
}

ops::ProjectForm rule(const AdapterInfo& adapter, DType weight = DType::q4_0) {
  return ops::form_by_rule(adapter, adapter.features, weight);
}

TEST(ProjectForm, ByRuleHasATeamForEachOutput) {
  EXPECT_EQ(rule(gpu_of(32)), (ops::ProjectForm{ops::Act::int8, true, 512, 16, 4097, 1, true}));
  EXPECT_EQ(rule(gpu_of(64)), (ops::ProjectForm{ops::Act::int8, true, 1024, 16, 4097, 1, true}));
  EXPECT_EQ(rule(gpu_of(32, 256)), (ops::ProjectForm{ops::Act::int8, true, 256, 8, 4097, 1, true}));
  EXPECT_EQ(rule(gpu_of(64, 256)), (ops::ProjectForm{ops::Act::int8, true, 256, 8, 4097, 1, true}));
  EXPECT_EQ(rule(gpu_of(0)), (ops::ProjectForm{ops::Act::int8, false, 64, 8, 0, 1, true}));
  EXPECT_EQ(rule(gpu_of(32), DType::f16).act, ops::Act::f32);
}

TEST(ProjectForm, ByRuleASoftwareAdapterHasOneVectorAWorkgroup) {
  AdapterInfo software = gpu_of(8);
  software.kind = AdapterKind::software;
  EXPECT_EQ(rule(software), (ops::ProjectForm{ops::Act::f32, true, 8, 16, 0, 4}));
  software = gpu_of(4);
  software.kind = AdapterKind::software;
  EXPECT_EQ(rule(software), (ops::ProjectForm{ops::Act::f32, true, 8, 16, 0, 4}));
  software = gpu_of(0);
  software.kind = AdapterKind::software;
  EXPECT_EQ(rule(software), (ops::ProjectForm{ops::Act::f32, false, 8, 16, 0, 4}));
}

TEST(ProjectForm, CandidatesArePossibleAndBeginWithTheRule) {
  for (const uint32_t subgroup_size : {0, 1, 4, 8, 32, 64}) {
    for (const uint32_t most : {64, 256, 1024}) {
      for (const DType weight : {DType::f16, DType::q4_0, DType::q5_k}) {
        const AdapterInfo adapter = gpu_of(subgroup_size, most);
        const auto forms = ops::candidate_forms(adapter, adapter.features, weight);
        ASSERT_FALSE(forms.empty());
        EXPECT_EQ(forms.front(), rule(adapter, weight));
        for (auto form = forms.begin(); form != forms.end(); ++form) {
          EXPECT_TRUE(ops::is_possible(*form, adapter, adapter.features, weight));
          EXPECT_EQ(std::find(form + 1, forms.end(), *form), forms.end());
        }
      }
    }
  }
  const AdapterInfo adapter = gpu_of(32);
  EXPECT_EQ(ops::candidate_forms(adapter, adapter.features, DType::q4_0).size(), 8u);
  EXPECT_EQ(ops::candidate_forms(adapter, adapter.features, DType::f16).size(), 4u);
}

}  // namespace
}  // namespace handloom::test
