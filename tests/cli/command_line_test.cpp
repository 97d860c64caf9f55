// argv to commands, and the sentence for every command line that cannot be meant.
#include "command_line.h"
#include "model.h"
#include "numbers.h"
#include "prompt.h"
#include "sampling.h"
#include "tests/cli/failure_of.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <variant>
#include <vector>

namespace cli {
namespace {

using Words = std::vector<std::string>;

template <class T>
T parse(const Words& words) {
  return std::get<T>(parse_command_line(words));
}

std::string usage_error(const Words& words) {
  return failure_of([&] { parse_command_line(words); }, kExitUsage);
}

TEST(CommandLine, RunTakesEveryOption) {
  const auto run = parse<RunCommand>({"run",
                                      "--model",
                                      "m",
                                      "--context",
                                      "64",
                                      "--precision",
                                      "f16",
                                      "--adapter",
                                      "llvm",
                                      "--kv",
                                      "int8",
                                      "--kv-spill",
                                      "host",
                                      "--memory-budget",
                                      "1.5G",
                                      "--dry-run",
                                      "--max-tokens",
                                      "9",
                                      "--temperature",
                                      "0.5",
                                      "--top-k",
                                      "3",
                                      "--top-p",
                                      "0.9",
                                      "--min-p",
                                      "0.1",
                                      "--repeat-penalty",
                                      "1.1",
                                      "--frequency-penalty",
                                      "-0.5",
                                      "--presence-penalty",
                                      "0.2",
                                      "--logit-bias",
                                      "7=-1.5",
                                      "--logit-bias",
                                      "8=2",
                                      "--seed",
                                      "18446744073709551615",
                                      "--steps-in-flight",
                                      "8",
                                      "--sample",
                                      "host",
                                      "--stop",
                                      "a",
                                      "--stop",
                                      "b c",
                                      "--verify",
                                      "--json",
                                      "--raw",
                                      "the prompt"});
  EXPECT_EQ(run.model.folder, "m");
  EXPECT_EQ(run.model.context, 64u);
  EXPECT_EQ(run.model.precision, handloom::Precision::f16);
  EXPECT_EQ(run.model.adapter, "llvm");
  EXPECT_EQ(run.model.kv, handloom::KvType::int8);
  EXPECT_EQ(run.model.kv_spill, handloom::KvSpill::host);
  EXPECT_EQ(run.model.memory_budget, 1'500'000'000u);
  EXPECT_TRUE(run.dry_run);
  EXPECT_EQ(run.max_tokens, 9u);
  EXPECT_EQ(run.sampling.temperature, 0.5f);
  EXPECT_EQ(run.sampling.top_k, 3u);
  EXPECT_EQ(run.sampling.top_p, 0.9f);
  EXPECT_EQ(run.sampling.min_p, 0.1f);
  EXPECT_EQ(run.sampling.repeat_penalty, 1.1f);
  EXPECT_EQ(run.sampling.frequency_penalty, -0.5f);
  EXPECT_EQ(run.sampling.presence_penalty, 0.2f);
  EXPECT_EQ(run.sampling.logit_bias,
            (std::vector<std::pair<uint32_t, float>>{{7, -1.5f}, {8, 2.0f}}));
  EXPECT_EQ(run.sampling.seed, 18446744073709551615u);
  EXPECT_EQ(run.decode.steps_in_flight, 8u);
  EXPECT_TRUE(run.decode.sample_on_host);
  EXPECT_EQ(run.stop, (Words{"a", "b c"}));
  EXPECT_TRUE(run.verify && run.json && run.prompt.raw);
  EXPECT_EQ(run.prompt.text, "the prompt");
}

TEST(CommandLine, ChatTakesModelSamplingAndPolicy) {
  const auto chat =
      parse<ChatCommand>({"chat", "--model", "m", "--system", "Be terse.", "--max-tokens", "9",
                          "--overflow", "refuse", "--stats", "--temperature", "0.5", "--top-k", "3",
                          "--steps-in-flight", "2", "--sample", "gpu"});
  EXPECT_EQ(chat.model.folder, "m");
  EXPECT_EQ(chat.system, "Be terse.");
  EXPECT_EQ(chat.max_tokens, 9u);
  EXPECT_EQ(chat.overflow, Overflow::refuse);
  EXPECT_TRUE(chat.stats);
  EXPECT_EQ(chat.sampling.temperature, 0.5f);
  EXPECT_EQ(chat.sampling.top_k, 3u);
  EXPECT_EQ(chat.decode.steps_in_flight, 2u);
  EXPECT_FALSE(chat.decode.sample_on_host);
  EXPECT_EQ(parse<ChatCommand>({"chat"}).overflow, Overflow::drop);
  EXPECT_EQ(usage_error({"chat", "--overflow", "sink"}),
            "--overflow is 'sink', expected one of drop, refuse");
  EXPECT_EQ(usage_error({"chat", "Hello"}),
            "'Hello' is one argument too many; text of several words needs quotes");
}

TEST(CommandLine, WhatIsNotGivenStaysAbsent) {
  const auto run = parse<RunCommand>({"run"});
  EXPECT_FALSE(run.prompt.text || run.sampling.temperature || run.sampling.seed);
  EXPECT_EQ(run.model.precision, handloom::Precision::automatic);
  EXPECT_EQ(run.max_tokens, 0u);
  EXPECT_EQ(run.model.kv, handloom::KvType::automatic);
  EXPECT_EQ(run.model.kv_spill, handloom::KvSpill::none);
  EXPECT_EQ(run.model.memory_budget, 0u);
  EXPECT_EQ(run.decode.steps_in_flight, 0u);
  EXPECT_FALSE(run.decode.sample_on_host);
  EXPECT_FALSE(run.json || run.verify || run.dry_run || run.prompt.raw);
}

TEST(CommandLine, PromptsMayLookLikeOptionsAndCommands) {
  EXPECT_EQ(parse<RunCommand>({"run", "--", "--help"}).prompt.text, "--help");
  EXPECT_EQ(parse<RunCommand>({"run", "-"}).prompt.text, "-");
  EXPECT_EQ(parse<RunCommand>({"run", ""}).prompt.text, "");
  EXPECT_EQ(parse<RunCommand>({"run", "plan"}).prompt.text, "plan");
  EXPECT_EQ(parse<RunCommand>({"run", "--stop", "--json"}).stop, Words{"--json"});
  EXPECT_EQ(parse<RunCommand>({"run", "--stop", "a", "b"}).prompt.text, "b");
  EXPECT_EQ(parse<RunCommand>({"run", "--logit-bias", "2=1", "b"}).prompt.text, "b");
}

TEST(CommandLine, TheOtherCommands) {
  EXPECT_TRUE(parse<DevicesCommand>({"devices", "--json"}).json);
  EXPECT_EQ(parse<PlanCommand>({"plan", "--context-length", "0"}).context_length, 0u);
  EXPECT_EQ(parse<PlanCommand>({"plan", "--prefill", "48", "--all"}).prefill, 48u);
  const auto dump = parse<DumpCommand>(
      {"dump", "--out", "o", "--format", "npy", "--ids", "1, 2,3", "--one-by-one"});
  EXPECT_EQ(dump.prompt.ids, (std::vector<uint32_t>{1, 2, 3}));
  EXPECT_EQ(dump.format, handloom::TensorFormat::npy);
  EXPECT_TRUE(dump.one_by_one);
  EXPECT_EQ(parse<VerifyCommand>({"verify", "d", "--precision", "f32"}).model.folder, "d");
  const auto tokenize = parse<TokenizeCommand>({"tokenize", "--decode", "1", "2,3", "--json"});
  EXPECT_EQ(tokenize.decode, (std::vector<uint32_t>{1, 2, 3}));
  EXPECT_TRUE(tokenize.json);
}

TEST(CommandLine, SizesTakeUnits) {
  const auto budget = [](const std::string& text) {
    return parse<RunCommand>({"run", "--memory-budget", text}).model.memory_budget;
  };
  EXPECT_EQ(budget("12345"), 12345u);
  EXPECT_EQ(budget("800M"), 800'000'000u);
  EXPECT_EQ(budget("2GB"), 2'000'000'000u);
  EXPECT_EQ(budget("1.5GiB"), 3u << 29);
  EXPECT_EQ(budget("4Ki"), 4096u);
  EXPECT_EQ(budget("1T"), 1'000'000'000'000u);
  for (const char* text :
       {"", "0", "-1", "G", "2X", "1..5G", "2 G", "2GG", "2iB", "1e9", "99999999T"}) {
    EXPECT_EQ(usage_error({"run", "--memory-budget", text}),
              "--memory-budget is '" + std::string(text) +
                  "', expected a size in bytes such as 800M, 2G or 1.5GiB");
  }
}

TEST(CommandLine, HelpHasExamplesForEveryCommand) {
  for (const char* command : {"run", "chat", "devices", "plan", "dump", "verify", "tokenize"}) {
    const std::string help = parse<PrintText>({command, "--help"}).text;
    EXPECT_NE(help.find("Examples:\n"), std::string::npos) << help;
    EXPECT_NE(help.find(std::string("  handloom ") + command), std::string::npos) << help;
  }
  EXPECT_NE(parse<PrintText>({"--help"}).text.find("tokenize"), std::string::npos);
}

TEST(CommandLine, UsageErrorsAreOneSentence) {
  EXPECT_EQ(
      usage_error({}),
      "no command is given, expected one of run, chat, devices, plan, dump, verify, tokenize, "
      "quantize, inspect, bench, tune");
  EXPECT_EQ(
      usage_error({"walk"}),
      "'walk' is not a command, expected one of run, chat, devices, plan, dump, verify, tokenize, "
      "quantize, inspect, bench, tune");
  EXPECT_EQ(usage_error({"run", "a", "b"}),
            "'b' is one argument too many; text of several words needs quotes");
  EXPECT_EQ(usage_error({"run", "--walk"}),
            "'--walk' is not an option, expected one of handloom run --help");
  EXPECT_EQ(usage_error({"run", "--seed"}), "--seed has no value, expected one");
  EXPECT_EQ(usage_error({"dump", "x"}), "--out is required; see handloom dump --help");
  EXPECT_EQ(usage_error({"verify"}), "DIR is required; see handloom verify --help");
  EXPECT_EQ(usage_error({"run", "x", "--file", "f"}),
            "PROMPT and --file are given together, expected at most one of them");
  EXPECT_EQ(usage_error({"dump", "--out", "o", "x", "--ids", "1"}),
            "PROMPT and --ids are given together, expected at most one of them");
  EXPECT_EQ(usage_error({"run", "--raw", "--messages", "f"}),
            "--raw is given with --messages, expected a chat template for messages");
  EXPECT_EQ(usage_error({"plan", "--prefill", "3", "--context-length", "4"}),
            "--prefill and --context-length are given together, expected at most one of them");
  EXPECT_EQ(usage_error({"run", "--stop", ""}), "--stop is '', expected some text");
  EXPECT_EQ(usage_error({"run", "--precision", "f8"}),
            "--precision is 'f8', expected one of auto, f16, f32");
}

TEST(CommandLine, NumbersOutOfRangeSayTheRange) {
  EXPECT_EQ(usage_error({"run", "--max-tokens", "0"}),
            "--max-tokens is '0', expected a whole number from 1 to 4294967295");
  EXPECT_EQ(usage_error({"run", "--top-k", "-1"}),
            "--top-k is '-1', expected a whole number from 0 to 4294967295");
  EXPECT_EQ(usage_error({"run", "--top-k", "4294967296"}),
            "--top-k is '4294967296', expected a whole number from 0 to 4294967295");
  EXPECT_EQ(usage_error({"run", "--seed", "1x"}),
            "--seed is '1x', expected a whole number from 0 to 18446744073709551615");
  for (const char* bad : {"nan", "inf", "-1", "x", "", "1e99"}) {
    EXPECT_EQ(usage_error({"run", "--temperature", bad}),
              std::string("--temperature is '") + bad + "', expected a finite number, 0 or more");
  }
  EXPECT_EQ(usage_error({"run", "--top-p", "0"}),
            "--top-p is '0', expected a number above 0 and up to 1");
  EXPECT_EQ(usage_error({"run", "--min-p", "1"}),
            "--min-p is '1', expected a number from 0 to below 1");
  EXPECT_EQ(usage_error({"run", "--repeat-penalty", "0"}),
            "--repeat-penalty is '0', expected a finite number above 0");
  EXPECT_EQ(
      usage_error({"run", "--logit-bias", "5"}),
      "--logit-bias is '5', expected ID=VALUE, a token id and a finite number such as 42=-5.5");
}

TEST(Numbers, IdsComeInAnyOfTheirForms) {
  const std::vector<uint32_t> want = {1, 2, 4294967295};
  EXPECT_EQ(parse_ids("--ids", "1,2,4294967295"), want);
  EXPECT_EQ(parse_ids("--ids", " 1 2\t4294967295\n"), want);
  EXPECT_EQ(parse_ids("--ids", "[1, 2, 4294967295]"), want);
  EXPECT_EQ(failure_of([] { parse_ids("--ids", "1,-2"); }, kExitUsage),
            "--ids is '-2', expected a token id, a whole number");
  EXPECT_EQ(failure_of([] { parse_ids("--ids", ","); }, kExitUsage),
            "--ids is ',', expected token ids such as 1,2,3");
}

TEST(Sampling, FlagsOverrideTheModelsDefaults) {
  handloom::SamplingOptions defaults;
  defaults.temperature = 0.7f;
  defaults.top_p = 0.95f;
  SamplingFlags flags;
  flags.top_p = 0.5f;
  flags.logit_bias = {{3, 1.0f}};
  const auto sampling = apply(flags, defaults, 99);
  EXPECT_EQ(sampling.temperature, 0.7f);
  EXPECT_EQ(sampling.top_p, 0.5f);
  EXPECT_EQ(sampling.logit_bias.size(), 1u);
  EXPECT_EQ(sampling.seed, 99u);
  flags.temperature = 0.0f;
  flags.seed = 7;
  EXPECT_EQ(apply(flags, defaults, 99).temperature, 0.0f);
  EXPECT_EQ(apply(flags, defaults, 99).seed, 7u);
}

TEST(Sampling, FlagsThatAGreedyRunIgnoresAreTold) {
  SamplingFlags flags;
  EXPECT_EQ(greedy_note(flags, {}), "");
  flags.top_k = 4;
  EXPECT_EQ(greedy_note(flags, {}), "the temperature is 0 (greedy), so --top-k has no effect");
  flags.seed = 4;
  EXPECT_EQ(greedy_note(flags, {}),
            "the temperature is 0 (greedy), so --top-k, --seed have no effect");
  handloom::SamplingOptions warm;
  warm.temperature = 1.0f;
  EXPECT_EQ(greedy_note(flags, warm), "");
}

TEST(Model, TheStarterIsLookedForInOrder) {
  EXPECT_EQ(starter_candidates("/given", "/bin", "/built"), Words{"/given"});
  EXPECT_EQ(starter_candidates("", "/bin", "/built"),
            (Words{"/bin/models/starter", "/bin/../models/starter",
                   "/bin/../share/handloom/starter", "/built"}));
  EXPECT_EQ(starter_candidates(nullptr, "", "/built"), Words{"/built"});
}

TEST(Model, APathThatIsNotThereIsOneSentence) {
  EXPECT_EQ(failure_of([] { find_model("/no/such"); }),
            "model: '/no/such' is not there, expected a model folder or a .gguf file");
  EXPECT_EQ(find_model(HANDLOOM_STARTER_DIR), HANDLOOM_STARTER_DIR);
}

TEST(Prompt, OneNewlineAtTheEndOfAFileIsNotPartOfIt) {
  EXPECT_EQ(without_final_newline("a\n"), "a");
  EXPECT_EQ(without_final_newline("a\r\n"), "a");
  EXPECT_EQ(without_final_newline("a\n\n"), "a\n");
  EXPECT_EQ(without_final_newline("a\r"), "a\r");
  EXPECT_EQ(without_final_newline(""), "");
}

TEST(Prompt, ComesFromTextFileOrMessages) {
  const std::string path = testing::TempDir() + "/handloom_prompt.txt";
  std::ofstream(path, std::ios::binary) << "from a file\n";
  PromptSource source;
  source.file = path;
  EXPECT_EQ(read_prompt(source).text, "from a file");
  source.file.clear();
  source.text = "given";
  source.raw = true;
  EXPECT_EQ(read_prompt(source).text, "given");
  EXPECT_TRUE(read_prompt(source).raw);
  std::ofstream(path, std::ios::binary) << R"([{"role": "user", "content": "hi"}])";
  source = {};
  source.messages_file = path;
  EXPECT_EQ(read_prompt(source).messages, R"([{"role":"user","content":"hi"}])");
}

TEST(Prompt, ErrorsAreOneSentence) {
  PromptSource source;
  source.text = "";
  EXPECT_EQ(
      failure_of([&] { read_prompt(source); }),
      "prompt: is empty, expected some text; give it as an argument, with --file or on stdin");
  source = {};
  source.file = "/no/such";
  EXPECT_EQ(failure_of([&] { read_prompt(source); }),
            "/no/such: could not be opened (No such file or directory), expected a file to read");
  source.file = "/";
  EXPECT_EQ(failure_of([&] { read_prompt(source); }), "/: is a folder, expected a file");
}

TEST(Failure, IsAlwaysOneLine) { EXPECT_EQ(one_line("a\nb\tc\x1b[31m\n"), "a b c [31m"); }

}  // namespace
}  // namespace cli
