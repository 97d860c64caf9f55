// handloom bench as people run it. Nothing here looks at how fast anything is.
#include "failure.h"
#include "tests/cli/program.h"

namespace cli {
namespace {

const std::string kSmall =
    "handloom bench --model " + kLlama2 + " --contexts 16,64 --prompt 32 --tokens 8 --repeats 2 ";

TEST_F(Program, BenchPrintsATableAndWritesJson) {
  const Outcome bench = shell(kSmall + "--profile --json new.json");
  ASSERT_EQ(bench.exit_code, 0) << bench.err;
  EXPECT_TRUE(sentences(bench.err).empty()) << bench.err;
  for (const char* words :
       {"\nload ", "\nfirst token after 32 tokens ", "\nprefill of 32 tokens ",
        "\ndecode after 16 tokens ", "\ndecode after 64 tokens ", " GB/s ",
        "against plan plain: 32 of 32 ids equal", "steps: the GPU works ",
        "\ndecode step after 16 tokens: ", "\nprefill of 32 tokens: ", "\nmatmul_vec"}) {
    EXPECT_NE(bench.out.find(words), std::string::npos) << words << " in " << bench.out;
  }
  const Json json = Json::parse(read_file(folder_ / "new.json"));
  EXPECT_EQ(json["model"]["name"], "llama2");
  EXPECT_FALSE(json["commit"].get<std::string>().empty());
  EXPECT_FALSE(json["adapter"]["driver"].get<std::string>().empty());
  EXPECT_TRUE(json["check"]["passed"]);
  EXPECT_EQ(json["check"]["ids"].size(), 32u);
  ASSERT_GE(json["figures"].size(), 5u);
  for (const Json& figure : json["figures"]) {
    EXPECT_GT(figure["median"], 0.0) << figure;
    EXPECT_LE(figure["least"], figure["median"]);
    EXPECT_GE(figure["most"], figure["median"]);
    EXPECT_EQ(figure["bytes_per_second"] > 0.0, figure["name"] == "decode") << figure;
  }
  // Every kernel that took time is named with the hash of its text.
  ASSERT_EQ(json["profiles"].size(), 3u);
  for (const Json& kernel : json["profiles"][0]["kernels"]) {
    EXPECT_EQ(json["kernels"][kernel["kernel"].get<std::string>()].get<std::string>().size(), 32u);
    EXPECT_GT(kernel["bytes"], 0);
  }
}

TEST_F(Program, BenchComparesWithAnEarlierReport) {
  const Outcome first = shell(kSmall + "--json - > old.json");
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_NE(first.err.find("decode after 64 tokens"), std::string::npos) << "the table";
  EXPECT_GE(Json::parse(read_file(folder_ / "old.json"))["figures"].size(), 5u);
  const Outcome second = shell(kSmall + "--plan plain --compare old.json");
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_NE(second.out.find("earlier: commit "), std::string::npos) << second.out;
  EXPECT_NE(second.out.find("x "), std::string::npos) << second.out;
  EXPECT_EQ(second.out.find("against plan plain"), std::string::npos) << second.out;
}

TEST_F(Program, BenchAblatesOneChoiceAtATime) {
  const Outcome bench = shell(kSmall + "--ablate --json new.json");
  ASSERT_EQ(bench.exit_code, 0) << bench.err;
  const Json json = Json::parse(read_file(folder_ / "new.json"));
  const Json& ablation = json["ablation"];
  std::vector<std::string> names;
  for (const Json& variant : ablation) {
    names.push_back(variant["variant"]);
    EXPECT_NE(variant["refusal"] == "", variant["figures"].empty()) << variant;
  }
  std::vector<std::string> want = {"as asked for", "sampling on the host", "1 step in flight",
                                   "plan plain"};
  for (const std::string matvec : {"f32", "f16", "int8"}) {
    if (json["model"]["matvec"] != matvec) want.push_back("matvec " + matvec);
  }
  want.push_back("no subgroups");
  EXPECT_EQ(names, want);
}

TEST_F(Program, BenchSaysWhatItWillNotDo) {
  write_file(folder_ / "broken.json", "{\"date\":");
  const std::string start = "handloom bench --model " + kLlama2 + " ";
  expect_one_sentence(shell(start + "--compare broken.json"), kExitFailure,
                      {"broken.json", "line 1"});
  expect_one_sentence(shell(start + "--compare none.json"), kExitFailure, {"none.json"});
  expect_one_sentence(shell(start + "--json no/such/folder.json"), kExitFailure,
                      {"no/such/folder.json", "cannot be written"});
  expect_one_sentence(shell(start + "--contexts 16,99999"), kExitFailure,
                      {"--contexts has 99999", "the context holds 512"});
  expect_one_sentence(shell(start + "--prompt 512"), kExitFailure, {"--prompt is 512"});
  expect_one_sentence(shell(start + "--contexts 16,x"), kExitUsage, {"--contexts", "'x'"});
  expect_one_sentence(shell(start + "--repeats 0"), kExitUsage, {"--repeats"});
}

TEST_F(Program, ControlCEndsABenchAndKeepsTheEarlierFile) {
  write_file(folder_ / "new.json", "before");
  // bash starts background jobs deaf to SIGINT; the program listens when it has caught it.
  const Outcome bench =
      shell("handloom bench --model " + kLlama2 +
            " --repeats 1000 --json new.json & job=$!\n"
            // The child of the function's subshell is the program itself.
            "listens() { pid=$(pgrep -P $job || echo $job); grep -q 'SigCgt:.*[2367abef]$' "
            "/proc/$pid/status 2> /dev/null; }\n"
            "for ((i = 0; i < 600; i++)); do listens && break; sleep 0.05; done\n"
            "kill -INT $pid; wait $job");
  expect_one_sentence(bench, kExitInterrupted, {"interrupted", "nothing is reported"});
  EXPECT_EQ(bench.out, "");
  EXPECT_EQ(read_file(folder_ / "new.json"), "before");
  EXPECT_FALSE(fs::exists(folder_ / "new.json.partial"));
}

}  // namespace
}  // namespace cli
