// The list of adapters, from made-up adapters.
#include "devices_text.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>

namespace cli {
namespace {

handloom::AdapterChoice example() {
  handloom::AdapterInfo gpu;
  gpu.index = 0;
  gpu.name = "A card";
  gpu.vendor = "someone";
  gpu.driver = "driver 1.2";
  gpu.backend = "Vulkan";
  gpu.kind = handloom::AdapterKind::discrete;
  gpu.features.subgroups = true;
  gpu.features.min_subgroup_size = 32;
  gpu.features.max_subgroup_size = 64;
  gpu.limits.max_binding_bytes = 134'217'728;
  gpu.limits.max_buffer_bytes = 2'147'483'648;
  gpu.limits.max_bindings = 10;
  gpu.limits.max_invocations = 1024;
  gpu.limits.max_workgroup_bytes = 32'768;
  gpu.limits.max_workgroups = 65'535;
  handloom::AdapterInfo software = gpu;
  software.index = 1;
  software.name = "llvmpipe";
  software.kind = handloom::AdapterKind::software;
  software.features.f16 = true;
  software.features.max_subgroup_size = 32;
  return {.adapters = {gpu, software}, .chosen = 0};
}

/// Of the same two adapters.
std::vector<AdapterTuning> example_tuning() {
  return {{.forms = {{.weight = "q4_0",
                      .act = "int8",
                      .subgroups = true,
                      .workgroup_size = 512,
                      .n_outputs = 16,
                      .is_measured = true}}},
          {}};
}

TEST(DevicesText, SaysWhatIsTuned) {
  const std::string text = devices_text(example(), example_tuning());
  EXPECT_NE(text.find("\n  tuned     q4_0: int8 by subgroups, 512 lanes for 16 outputs\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\n  tuned     not yet: handloom tune\n"), std::string::npos) << text;
  const std::vector<AdapterTuning> broken(2, {.problem = "a.json: is not JSON"});
  EXPECT_NE(devices_text(example(), broken).find("  tuned     no: a.json: is not JSON\n"),
            std::string::npos);
  const auto json = devices_json(example(), example_tuning());
  EXPECT_EQ(json["adapters"][0]["tuned"][0]["workgroup_size"], 512);
  EXPECT_TRUE(json["adapters"][1]["tuned"].empty());
}

TEST(DevicesText, DescribesEachAndSaysWhichIsUsed) {
  const std::string text = devices_text(example(), example_tuning());
  EXPECT_TRUE(
      text.starts_with("0  A card\n  kind      discrete, Vulkan, someone, driver 1.2\n"
                       "  features  no f16, subgroups of 32 to 64, no timestamps, no "
                       "subgroup matrix\n  limits    binding 128 MiB, buffer 2 GiB, "))
      << text;
  EXPECT_NE(text.find("\n1  llvmpipe\n  kind      software"), std::string::npos) << text;
  EXPECT_NE(text.find("features  f16, subgroups of 32, "), std::string::npos) << text;
  EXPECT_NE(text.find("handloom would use 0: A card\n  in f32 "), std::string::npos) << text;
}

TEST(DevicesJson, HoldsFeaturesLimitsAndTheChoice) {
  auto choice = example();
  choice.chosen = 1;
  const auto json = devices_json(choice, example_tuning());
  EXPECT_EQ(json["chosen"], 1);
  EXPECT_EQ(json["precision"], "f16");
  EXPECT_EQ(json["adapters"][0]["kind"], "discrete");
  EXPECT_EQ(json["adapters"][0]["features"]["max_subgroup_size"], 64);
  EXPECT_EQ(json["adapters"][1]["limits"]["max_binding_bytes"], 134'217'728);
}

TEST(DevicesJson, NoAdapterIsNoChoice) {
  const auto json = devices_json({}, {});
  EXPECT_TRUE(json["chosen"].is_null());
  EXPECT_TRUE(json["adapters"].empty());
}

}  // namespace
}  // namespace cli
