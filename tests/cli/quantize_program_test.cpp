// handloom quantize and inspect as people run them; no adapter but to answer with what was written.
#include "failure.h"
#include "tests/cli/program.h"

namespace cli {
namespace {

const std::string kStarter = HANDLOOM_STARTER_DIR;

TEST_F(Program, TheStarterAnswersAlikeFromF16Gguf) {
  const Outcome quantize = shell("handloom quantize '" + kStarter + "' starter.gguf --type f16");
  ASSERT_EQ(quantize.exit_code, 0) << quantize.err;
  EXPECT_TRUE(quantize.out.starts_with("starter.gguf: f16, ")) << quantize.out;
  EXPECT_EQ(quantize.err, "");
  const std::string question =
      " --temperature 0 --precision f16 --json 'Tell me a story about a blue kite.'";
  const Outcome folder = shell("handloom run --model '" + kStarter + "'" + question);
  const Outcome file = shell("handloom run --model starter.gguf" + question);
  ASSERT_EQ(folder.exit_code, 0) << folder.err;
  ASSERT_EQ(file.exit_code, 0) << file.err;
  const Json want = Json::parse(folder.out), got = Json::parse(file.out);
  EXPECT_EQ(got["prompt_ids"], want["prompt_ids"]);
  EXPECT_EQ(got["ids"], want["ids"]);
  EXPECT_EQ(got["text"], want["text"]);
}

TEST_F(Program, QuantizeSaysWhatItWillNotDo) {
  const std::string start = "handloom quantize " + kLlama2 + " ";
  expect_one_sentence(shell(start + "a.gguf --type q3_k"), kExitUsage, {"'q3_k'", "q4_k_m"});
  expect_one_sentence(shell(start + "a.gguf"), kExitUsage, {"--type"});
  expect_one_sentence(shell(start + "a.gguf --type int8-block --block 48"), kExitUsage,
                      {"--block is 48", "64"});
  write_file(folder_ / "mine.gguf", "mine");
  expect_one_sentence(shell(start + "mine.gguf --type q8_0"), kExitFailure,
                      {"mine.gguf", "--force"});
  EXPECT_EQ(read_file(folder_ / "mine.gguf"), "mine");
  EXPECT_EQ(shell(start + "mine.gguf --type q8_0 --force").exit_code, 0);
  EXPECT_TRUE(read_file(folder_ / "mine.gguf").starts_with("GGUF"));
  expect_one_sentence(shell("handloom quantize nothing a.gguf --type f16"), kExitFailure,
                      {"nothing"});
}

TEST_F(Program, AFullDiskLeavesNoModel) {
  const Outcome full =
      shell("trap '' XFSZ; ulimit -f 200; handloom quantize " + kLlama2 + " a.gguf --type f16");
  expect_one_sentence(full, kExitFailure, {"a.gguf", "cannot write"});
  EXPECT_FALSE(fs::exists(folder_ / "a.gguf"));
  EXPECT_FALSE(fs::exists(folder_ / "a.gguf.partial"));
}

TEST_F(Program, InspectPrintsTextAndJson) {
  const Outcome text = shell("handloom inspect '" + kStarter + "'");
  ASSERT_EQ(text.exit_code, 0) << text.err;
  for (const char* part :
       {"Hugging Face folder, llama, 6.8", "layers 8", "bf16", "byte-level BPE", "\"<|begin|>\"",
        "chat template: 211 bytes", "8 times:", "attention", "handloom runs it"}) {
    EXPECT_NE(text.out.find(part), std::string::npos) << part << " in\n" << text.out;
  }
  const Json json =
      Json::parse(shell("handloom inspect --json --context 64 '" + kStarter + "'").out);
  EXPECT_EQ(json["architecture"], "llama");
  EXPECT_EQ(json["memory"]["context"], 64);
  EXPECT_EQ(json["settings"]["layers"], "8");
  EXPECT_TRUE(json["problems"].empty());
  expect_one_sentence(shell("handloom inspect nothing"), kExitFailure, {"nothing", "expected"});
}

}  // namespace
}  // namespace cli
