// The folding of repeated layers, on made-up plans.
#include "plan_text.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

namespace cli {
namespace {

using handloom::Plan;
using handloom::PlanBinding;
using handloom::PlanEntry;

PlanEntry entry(const std::string& kernel, const std::string& read, const std::string& written,
                uint64_t bytes = 1000, const std::string& params = "") {
  PlanEntry made;
  made.kernel = kernel;
  made.bindings = {
      {.name = "x", .tensor = read, .dtype = "f32", .shape = "[1, 256]", .written = false},
      {.name = "y", .tensor = written, .dtype = "f32", .shape = "[1, 256]", .written = true}};
  made.params = params;
  made.bytes = bytes;
  return made;
}

Plan plan_of(std::vector<PlanEntry> entries) {
  for (uint32_t i = 0; i < entries.size(); ++i) entries[i].index = i;
  return {.title = "decode step at position 100", .entries = std::move(entries)};
}

/// embed, then three dispatches a layer, then the output. `odd`: every second layer has a window.
Plan model(uint32_t n_layers, bool odd = false) {
  std::vector<PlanEntry> entries = {entry("embed", "token_embd", "x")};
  for (uint32_t il = 0; il < n_layers; ++il) {
    entries.push_back(entry("rms_norm", fmt::format("layers.{}.attn_norm", il), "norm"));
    entries.push_back(entry("attention", fmt::format("layers.{}.k_cache", il), "attn", 1000,
                            odd && il % 2 == 1 ? "window=64" : "window=0"));
    entries.push_back(entry("matmul_add", fmt::format("layers.{}.attn_output", il), "x"));
  }
  entries.push_back(entry("rms_norm", "output_norm", "norm"));
  entries.push_back(entry("matmul", "output", "logits"));
  return plan_of(std::move(entries));
}

/// Three dispatches a layer, of which the last reads the norm of the next layer; the first layer
/// may have other params.
Plan fused_model(uint32_t n_layers, bool other_params = true) {
  std::vector<PlanEntry> entries = {entry("embed_input", "token_ids", "x")};
  entries[0].bindings[0].name = "token_ids";
  entries[0].bindings.push_back({.name = "gamma", .tensor = "blk.0.attn_norm"});
  for (uint32_t il = 0; il < n_layers; ++il) {
    entries.push_back(entry("project", fmt::format("blk.{}.attn_qkv", il), "qkv", 1000,
                            il == 0 && other_params ? "n_sums=1" : "n_sums=32"));
    entries.push_back(entry("attention", "qkv", "attn_input"));
    entries.push_back(entry("project_residual", fmt::format("blk.{}.attn_output", il), "x"));
    PlanBinding norm = entries.back().bindings[0];
    norm.tensor =
        il + 1 < n_layers ? fmt::format("blk.{}.attn_norm", il + 1) : std::string("output_norm");
    entries.back().bindings.push_back(norm);
  }
  entries.push_back(entry("project", "output", "logits"));
  return plan_of(std::move(entries));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(Repetition, IsFoundFromTheListAlone) {
  const auto found = find_repetition(model(8).entries);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->begin, 1u);
  EXPECT_EQ(found->length, 3u);
  EXPECT_EQ(found->n, 8u);
  EXPECT_EQ(found->first_layer, 0u);
  EXPECT_EQ(found->layers_per_block, 1u);
}

TEST(Repetition, OfTwoLayersWhereTheyAlternate) {
  const auto found = find_repetition(model(26, true).entries);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->length, 6u);
  EXPECT_EQ(found->n, 13u);
  EXPECT_EQ(found->layers_per_block, 2u);
}

TEST(Repetition, CountsPastNine) {
  const auto found = find_repetition(model(112).entries);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->n, 112u);
}

TEST(Repetition, NeedsANumberThatCounts) {
  // The same dispatch twice is no pair of layers.
  EXPECT_FALSE(find_repetition(plan_of({entry("add", "a", "b"), entry("add", "a", "b")}).entries));
  EXPECT_FALSE(find_repetition({}));
  EXPECT_FALSE(find_repetition(model(1).entries));
}

TEST(Repetition, EndsAtTheFirstDifference) {
  const auto differs = [](auto change) {
    Plan plan = model(4);
    change(plan.entries[1 + 3 * 2 + 1]);  // in layer 2
    const auto found = find_repetition(plan.entries);
    return found ? found->n : 0;
  };
  EXPECT_EQ(differs([](PlanEntry&) {}), 4u);
  EXPECT_EQ(differs([](PlanEntry& e) { e.kernel = "attention_long"; }), 2u);
  EXPECT_EQ(differs([](PlanEntry& e) { e.constants = "workgroup_size=32"; }), 2u);
  EXPECT_EQ(differs([](PlanEntry& e) { e.workgroups[1] = 2; }), 2u);
  EXPECT_EQ(differs([](PlanEntry& e) { e.bytes = 7; }), 2u);
  EXPECT_EQ(differs([](PlanEntry& e) { e.bindings[0].tensor = "layers.1.k_cache"; }), 2u);
  EXPECT_EQ(differs([](PlanEntry& e) { e.bindings[0].dtype = "f16"; }), 2u);
  EXPECT_EQ(differs([](PlanEntry& e) { e.bindings.pop_back(); }), 2u);
}

TEST(PlanText, FoldsTheLayersAndKeepsTheRest) {
  const auto lines = lines_of(plan_text(model(8)));
  EXPECT_EQ(lines[0], "decode step at position 100: 27 dispatches, 27.0 KB moved");
  EXPECT_EQ(lines[1], " # kernel       grid    bytes  read -> written");
  EXPECT_EQ(lines[2], " 0 embed       1x1x1  1.00 KB  token_embd -> x");
  EXPECT_EQ(lines[3], "layer 0: 3 dispatches, 3.00 KB");
  EXPECT_EQ(lines[4], " 1 rms_norm    1x1x1  1.00 KB  layers.0.attn_norm -> norm");
  EXPECT_EQ(lines[7], "layers 1..7: the same 3 dispatches, x7, 21.0 KB");
  EXPECT_EQ(lines[8], "25 rms_norm    1x1x1  1.00 KB  output_norm -> norm");
  EXPECT_EQ(lines.size(), 12u);
}

TEST(PlanText, TwoLayersAndBlocksOfTwoAreNamed) {
  EXPECT_NE(plan_text(model(2)).find("layer 1: the same 3 dispatches, x1, 3.00 KB\n"),
            std::string::npos);
  const std::string text = plan_text(model(26, true));
  EXPECT_NE(text.find("layers 0..1: 6 dispatches"), std::string::npos) << text;
  EXPECT_NE(text.find("layers 2..25: the same 6 dispatches, x12"), std::string::npos) << text;
}

TEST(Repetition, OfAFusedPlanIsMovedToWholeLayers) {
  for (const bool other_params : {true, false}) {
    const Plan plan = fused_model(8, other_params);
    const auto found = find_repetition(plan.entries);
    ASSERT_TRUE(found);
    const Repetition layers = whole_layers(plan.entries, *found);
    EXPECT_EQ(layers.begin, 1u);
    EXPECT_EQ(layers.length, 3u);
    EXPECT_EQ(layers.n, 8u);
    EXPECT_EQ(layers.first_layer, 0u);
    EXPECT_EQ(layers.layers_per_block, 1u);
  }
}

TEST(Repetition, TakesNoOtherDispatchesIntoALayer) {
  const auto n_blocks = [](size_t changed, auto change) {
    Plan plan = fused_model(8);
    change(plan.entries[changed]);
    const auto found = find_repetition(plan.entries);
    return found ? whole_layers(plan.entries, *found).n : 0;
  };
  const size_t first = 1, last = 1 + 3 * 7;
  for (const size_t changed : {first, last}) {
    EXPECT_EQ(n_blocks(changed, [](PlanEntry& e) { e.kernel = "project_f32"; }), 7u);
    EXPECT_EQ(n_blocks(changed, [](PlanEntry& e) { e.bytes = 7; }), 7u);
    EXPECT_EQ(n_blocks(changed, [](PlanEntry& e) { e.bindings.pop_back(); }), 7u);
  }
  // The first block is the one shown, so its tensors must count as the others' do.
  EXPECT_EQ(n_blocks(first, [](PlanEntry& e) { e.bindings[0].tensor = "blk.0.qkv"; }), 7u);
}

TEST(PlanText, SaysWhereTheLastLayerOfAFusedPlanDiffers) {
  const auto lines = lines_of(plan_text(fused_model(8)));
  ASSERT_EQ(lines.size(), 12u);
  EXPECT_EQ(lines[3], "layer 0: 3 dispatches, 3.00 KB");
  EXPECT_EQ(lines[4], " 1 project           1x1x1  1.00 KB  blk.0.attn_qkv -> qkv");
  EXPECT_EQ(lines[7], "layers 1..7: the same 3 dispatches, x7, 21.0 KB, but for");
  EXPECT_EQ(lines[8], "24 project_residual  1x1x1  1.00 KB  blk.7.attn_output, output_norm -> x");
  EXPECT_EQ(lines[9], "25 project           1x1x1  1.00 KB  output -> logits");
}

TEST(PlanText, SaysWhereTheLastLayerReadsTheOneBeforeIt) {
  Plan plan = fused_model(8);
  plan.entries[1 + 3 * 7].bindings[0].tensor = "blk.6.attn_qkv";
  EXPECT_NE(plan_text(plan).find("but for\n22 project "), std::string::npos) << plan_text(plan);
}

TEST(PlanText, ALongKernelNameTakesTwoLines) {
  const auto lines =
      lines_of(plan_text(plan_of({entry("project_residual_f32_f16_subgroup", "a", "b")})));
  EXPECT_EQ(lines[2], "0 project_residual_   1x1x1  1.00 KB  a -> b");
  EXPECT_EQ(lines[3], "    f32_f16_subgroup");
}

TEST(PlanText, NamesATensorThatIsBoundTwiceOnce) {
  Plan plan = plan_of({entry("project", "input", "y")});
  plan.entries[0].bindings.push_back(plan.entries[0].bindings[0]);
  EXPECT_NE(plan_text(plan).find("  input -> y\n"), std::string::npos) << plan_text(plan);
}

TEST(PlanText, NoLineIsWiderThanAScreen) {
  Plan plan = model(3);
  for (const char* name :
       {"a_rather_long_tensor_name", "another_rather_long_tensor_name", "page_table"}) {
    plan.entries[0].bindings.insert(
        plan.entries[0].bindings.begin(),
        {.name = "b", .tensor = name, .dtype = "f32", .shape = "[1]", .written = false});
  }
  for (const std::string& line : lines_of(plan_text(plan))) EXPECT_LE(line.size(), 80u) << line;
  const std::string all = plan_text(plan);
  EXPECT_NE(all.find("token_embd -> x"), std::string::npos) << all;
}

TEST(PlanText, AnEmptyPlanIsStillAPlan) {
  EXPECT_TRUE(
      plan_text(plan_of({})).starts_with("decode step at position 100: 0 dispatches, 0 B moved\n"));
}

TEST(FullPlanText, ShowsEveryDispatchWithEveryBinding) {
  Plan plan = model(8);
  plan.entries[1].constants = "workgroup_size=64";
  plan.entries[1].params = "dim4=64 eps=1e-05";
  const std::string text = full_plan_text(plan);
  const auto lines = lines_of(text);
  EXPECT_EQ(std::ranges::count_if(lines, [](const auto& l) { return l.find("grid") < 30; }), 27);
  EXPECT_NE(text.find("\n1 rms_norm  grid 1x1x1  1.00 KB\n"
                      "    x            <- layers.0.attn_norm f32 [1, 256]\n"
                      "    y            -> norm f32 [1, 256]\n"
                      "    constants    workgroup_size=64\n"
                      "    params       dim4=64 eps=1e-05\n"),
            std::string::npos)
      << text;
}

TEST(PlanJson, HoldsEveryEntryUnfolded) {
  const auto json = plan_json(model(8));
  EXPECT_EQ(json["title"], "decode step at position 100");
  ASSERT_EQ(json["entries"].size(), 27u);
  EXPECT_EQ(json["bytes"], 27000);
  EXPECT_EQ(json["entries"][26]["index"], 26);
  EXPECT_EQ(json["entries"][1]["bindings"][0]["tensor"], "layers.0.attn_norm");
  EXPECT_EQ(json["entries"][1]["workgroups"], (std::vector<int>{1, 1, 1}));
}

}  // namespace
}  // namespace cli
