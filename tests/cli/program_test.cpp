// The program as people run it: what it prints where, what it exits with, and that every bad input
// ends in exactly one sentence that says what was found and what is expected. Needs an adapter.
#include "tests/cli/program.h"

#include <functional>

namespace cli {
namespace {

void replace_once(const fs::path& path, const std::string& from, const std::string& to) {
  std::string text = read_file(path);
  const size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << path << " holds no " << from;
  write_file(path, text.replace(at, from.size(), to));
}

// What works

TEST_F(Program, TokenizesThereAndBack) {
  const Outcome ids = shell("handloom tokenize --json 'What is 17 + 25?'");
  ASSERT_EQ(ids.exit_code, 0) << ids.err;
  EXPECT_EQ(ids.err, "");
  ASSERT_FALSE(Json::parse(ids.out).empty());
  const Outcome text = shell("handloom tokenize --no-specials --decode '" + ids.out + "'");
  EXPECT_EQ(text.out, "What is 17 + 25?\n");
  const Outcome piped = shell("printf 'What is 17 + 25?' | handloom tokenize --json");
  EXPECT_EQ(piped.out, ids.out);
}

TEST_F(Program, RunPrintsTheAnswerOnStdoutAndFiguresOnStderr) {
  const Json chat = Json::parse(read_file(kGolden + "/starter/reference.json"))["chats"][0];
  const Outcome run = shell(
      "handloom run --temperature 0 --precision f32 'What is the capital of "
      "France? Answer in one word.'");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, chat["text"].get<std::string>() + "\n");
  const auto lines = sentences(run.err);
  ASSERT_EQ(lines.size(), 1u) << run.err;
  for (const char* figure : {"load ", "prompt 21 tokens ", "2 tokens ", " GB/s, ", " % of ",
                             "GPU memory ", "weights ", "kv ", "activations "}) {
    EXPECT_NE(lines[0].find(figure), std::string::npos) << lines[0];
  }
}

TEST_F(Program, RunJsonHoldsIdsTextAndTimings) {
  const Json chat = Json::parse(read_file(kGolden + "/starter/reference.json"))["chats"][0];
  write_file(folder_ / "chat.json", chat["messages"].dump());
  const Outcome run =
      shell("handloom run --temperature 0 --precision f32 --messages chat.json --json");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json json = Json::parse(run.out);
  EXPECT_EQ(json["prompt_ids"], chat["prompt_ids"]);
  EXPECT_EQ(json["ids"], chat["greedy_ids"]);
  EXPECT_EQ(json["text"], chat["text"]);
  EXPECT_EQ(json["finish_reason"], "stop");
  EXPECT_GT(json["timings"]["gpu_memory"]["weights"], 0);
  EXPECT_GT(json["timings"]["read_bytes_per_second"], 0.0);
}

TEST_F(Program, DryRunSaysByKindWhatWouldBeAllocated) {
  const Outcome fits = shell("handloom run --dry-run --precision f32 --kv int8 --context 300");
  ASSERT_EQ(fits.exit_code, 0) << fits.err;
  for (const char* words : {"weights  ", "KV cache  ", "int8, 300 tokens of context",
                            "activations  ", "other  ", "GPU memory  ", "fits in "}) {
    EXPECT_NE(fits.out.find(words), std::string::npos) << words << " in " << fits.out;
  }
  const Outcome not_fits = shell("handloom run --dry-run --memory-budget 1M --json");
  EXPECT_EQ(not_fits.exit_code, 1);
  const Json json = Json::parse(not_fits.out);
  EXPECT_EQ(json["budget"], 1'000'000);
  EXPECT_EQ(json["fits"], false);
  EXPECT_EQ(json["fitting_context"], 0);
  EXPECT_GT(json["gpu_memory"]["weights"], 1'000'000);
}

TEST_F(Program, ThePromptMayComeFromStdinOrAFile) {
  const std::string options = " --temperature 0 --max-tokens 4 --raw --model " + kLlama2;
  const Outcome given = shell("handloom run 'Once upon a time'" + options);
  ASSERT_EQ(given.exit_code, 0) << given.err;
  EXPECT_EQ(shell("echo 'Once upon a time' | handloom run" + options).out, given.out);
  EXPECT_EQ(shell("echo 'Once upon a time' > p; handloom run --file p" + options).out, given.out);
}

TEST_F(Program, ThePrintedSeedRepeatsARun) {
  const std::string options = " --raw --temperature 1 --max-tokens 12 --json --model " + kLlama2;
  const Outcome first = shell("handloom run Once" + options);
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const Json json = Json::parse(first.out);
  const std::string seed = std::to_string(json["seed"].get<uint64_t>());
  EXPECT_NE(first.err.find("seed " + seed), std::string::npos) << first.err;
  EXPECT_EQ(Json::parse(shell("handloom run Once --seed " + seed + options).out)["ids"],
            json["ids"]);
  // 12 draws from 600 tokens: another seed gives another text.
  EXPECT_NE(Json::parse(shell("handloom run Once --seed 1" + seed + options).out)["ids"],
            json["ids"]);
}

TEST_F(Program, TheStartersPlanFitsAScreen) {
  const Outcome plan = shell("handloom plan");
  ASSERT_EQ(plan.exit_code, 0) << plan.err;
  size_t n_lines = 0;
  std::istringstream stream(plan.out);
  for (std::string line; std::getline(stream, line); ++n_lines) EXPECT_LE(line.size(), 80u) << line;
  EXPECT_LE(n_lines, 40u);
  EXPECT_NE(plan.out.find("layers 1..7: the same "), std::string::npos) << plan.out;
  const Json json = Json::parse(shell("handloom plan --json").out);
  EXPECT_GE(json["entries"].size(), 36u);
  const Json prefill = Json::parse(shell("handloom plan --prefill 7 --json").out);
  EXPECT_FALSE(prefill["entries"].empty());
}

TEST_F(Program, DevicesNamesTheOneItWouldUse) {
  const Outcome text = shell("handloom devices");
  ASSERT_EQ(text.exit_code, 0) << text.err;
  EXPECT_NE(text.out.find("handloom would use "), std::string::npos) << text.out;
  const Json json = Json::parse(shell("handloom devices --json").out);
  EXPECT_LT(json["chosen"], json["adapters"].size());
}

TEST_F(Program, DumpWritesEveryStage) {
  const Outcome dump = shell("handloom dump --ids 1,2,3 --out a.safetensors --model " + kLlama2);
  ASSERT_EQ(dump.exit_code, 0) << dump.err;
  EXPECT_EQ(dump.out, "");
  EXPECT_NE(read_file(folder_ / "a.safetensors").find("\"logits\""), std::string::npos);
  const Outcome npy =
      shell("handloom dump --ids 1,2,3 --one-by-one --format npy --out b --model " + kLlama2);
  ASSERT_EQ(npy.exit_code, 0) << npy.err;
  EXPECT_TRUE(read_file(folder_ / "b" / "logits.npy").starts_with("\x93NUMPY"));
}

TEST_F(Program, VerifyPassesOnTheGoldenModels) {
  for (const char* model : {"llama2", "llama3.2"}) {
    const Outcome verify = shell("handloom verify --precision f32 " + kGolden + "/" + model);
    EXPECT_EQ(verify.exit_code, 0) << verify.out << verify.err;
    EXPECT_NE(verify.out.find(" passed\n"), std::string::npos) << verify.out;
    EXPECT_EQ(verify.out.find("FAILED"), std::string::npos) << verify.out;
  }
}

TEST_F(Program, VerifyStopsAtTheFirstStageThatFails) {
  const fs::path model = copy_of_llama2();
  // The last bytes of the weights: one element becomes a large number.
  std::string weights = read_file(model / "model.safetensors");
  weights[weights.size() - 1] = '\x42';
  write_file(model / "model.safetensors", weights);
  const Outcome verify = shell("handloom verify --precision f32 model");
  expect_one_sentence(verify, 1, {"verify: stage '", "expected at most"});
  const size_t failed = verify.out.find("FAILED\n");
  ASSERT_NE(failed, std::string::npos) << verify.out;
  EXPECT_EQ(failed + 7, verify.out.size()) << verify.out;
}

TEST_F(Program, RunVerifyComparesThePromptWithTheCpu) {
  const Outcome run =
      shell("handloom run --verify --raw --precision f32 --max-tokens 2 Once --model " + kLlama2);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.err.find("against the CPU reference"), std::string::npos) << run.err;
}

// Ends before the end

TEST_F(Program, InterruptEndsWithTheFigures) {
  const Outcome run = shell(
      "handloom run --raw --temperature 0 --logit-bias 2=-1000 --max-tokens 450 Once --model " +
      kLlama2 +
      " > out 2> err & program=$!\n"
      "for ((i = 0; i < 600; i++)); do [[ -s out ]] && break; sleep 0.05; done\n"
      // The child of the function's subshell is the program itself.
      "kill -INT $(pgrep -P $program || echo $program)\n"
      "wait $program; echo $?; cat err >&2");
  EXPECT_EQ(run.out, "130\n") << run.err;
  const auto lines = sentences(run.err);
  ASSERT_EQ(lines.size(), 1u) << run.err;
  EXPECT_TRUE(lines[0].starts_with("load ")) << run.err;
  EXPECT_TRUE(read_file(folder_ / "out").ends_with("\n"));
}

TEST_F(Program, AClosedPipeEndsTheRun) {
  const Outcome run =
      shell("{ handloom run --raw --temperature 0 --logit-bias 2=-1000 Once --model " + kLlama2 +
            "; echo $? > code; } | head -c 1 > /dev/null; exit $(cat code)");
  expect_one_sentence(run, 1, {"stdout: closed by the reader"});
}

TEST_F(Program, AFullDiskEndsTheRun) {
  expect_one_sentence(shell("handloom devices > /dev/full"), 1, {"stdout: ", "No space left"});
  expect_one_sentence(
      shell("handloom run --raw Once --max-tokens 3 > /dev/full --model " + kLlama2), 1,
      {"stdout: ", "No space left"});
}

// Bad input

TEST_F(Program, UsageErrorsExitWithTwo) {
  for (const char* line : {"handloom", "handloom walk", "handloom run --walk", "handloom run a b",
                           "handloom run --top-p 7 x", "handloom dump x", "handloom verify"}) {
    const Outcome outcome = shell(line);
    expect_one_sentence(outcome, 2, {});
    EXPECT_EQ(outcome.out, "");
  }
}

TEST_F(Program, AnEmptyPromptIsRefused) {
  for (const char* line :
       {"handloom run ''", "handloom run < /dev/null", "echo | handloom run --raw",
        "handloom dump --out x ''", "echo '[]' | handloom run --messages -"}) {
    expect_one_sentence(shell(line), 1, {"expected"});
  }
}

TEST_F(Program, ATooLongPromptIsRefusedWithBothNumbers) {
  write_file(folder_ / "prompt", std::string(300, 'x'));
  const std::string ids = shell("handloom tokenize --json --model " + kLlama2 + " < prompt").out;
  const std::string n_tokens = std::to_string(Json::parse(ids).size());
  const Outcome run = shell("handloom run --raw --context 16 --file prompt --model " + kLlama2);
  expect_one_sentence(run, 1, {n_tokens + " tokens", "16"});
  EXPECT_EQ(run.out, "");
}

TEST_F(Program, AnUnknownAdapterIsRefused) {
  const Outcome run = shell("handloom run --adapter walrus x");
  expect_one_sentence(run, 1, {"walrus", "expected"});
  expect_one_sentence(shell("handloom verify --adapter 99 " + kLlama2), 1, {"99", "expected"});
}

TEST_F(Program, AnIdOutsideTheVocabularyIsRefused) {
  expect_one_sentence(shell("handloom tokenize --decode 600 --model " + kLlama2), 1, {"600"});
  expect_one_sentence(shell("handloom dump --ids 1,600 --out x --model " + kLlama2), 1, {"600"});
  expect_one_sentence(shell("handloom run --raw Once --logit-bias 600=1 --model " + kLlama2), 1,
                      {"600"});
  EXPECT_FALSE(fs::exists(folder_ / "x"));
}

TEST_F(Program, UnwritableOutputsLeaveNothingBehind) {
  write_file(folder_ / "file", "");
  for (const char* out : {"none/x.safetensors", "file/x.safetensors"}) {
    expect_one_sentence(
        shell(std::string("handloom dump --ids 1,2 --out ") + out + " --model " + kLlama2), 1,
        {out});
  }
  expect_one_sentence(shell("handloom dump --ids 1,2 --out file/x --format npy --model " + kLlama2),
                      1, {"file/x"});
  for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
    EXPECT_EQ(entry.path().string().find(".partial"), std::string::npos) << entry.path();
  }
}

TEST_F(Program, AModelWithoutAChatTemplateAsksForRaw) {
  const fs::path model = copy_of_llama2();
  fs::remove(model / "chat_template.jinja");
  expect_one_sentence(shell("handloom run x --model model"), 1, {"chat template: ", "--raw"});
}

TEST_F(Program, ABrokenChatTemplateIsOneSentence) {
  const fs::path model = copy_of_llama2();
  write_file(model / "chat_template.jinja", "{% if %}\n{{ x }}");
  expect_one_sentence(shell("handloom run x --model model"), 1, {"chat template: ", "row 1"});
  write_file(model / "chat_template.jinja", "{{ raise_exception('roles\nmust alternate') }}");
  expect_one_sentence(shell("handloom run x --model model"), 1,
                      {"chat template: roles must alternate"});
}

/// One way to break a model folder and what the sentence must hold.
struct Breakage {
  const char* name;
  std::function<void(const fs::path&)> apply;
  std::vector<std::string> parts;
};

class BrokenModel : public Program, public testing::WithParamInterface<Breakage> {};

TEST_P(BrokenModel, IsRefusedInOneSentence) {
  folder_ += GetParam().name;
  fs::create_directories(folder_);
  GetParam().apply(copy_of_llama2());
  const Outcome run = shell("handloom run --raw x --model model");
  expect_one_sentence(run, 1, {});
  for (const std::string& part : GetParam().parts) {
    EXPECT_NE(run.err.find(part), std::string::npos) << "no '" << part << "' in: " << run.err;
  }
  EXPECT_EQ(run.out, "");
}

std::vector<Breakage> breakages() {
  const auto remove = [](const char* file) {
    return [file](const fs::path& model) { fs::remove(model / file); };
  };
  const auto replace = [](const char* file, const char* from, const char* to) {
    return [=](const fs::path& model) { replace_once(model / file, from, to); };
  };
  const auto resize = [](const char* file, size_t size) {
    return [=](const fs::path& model) { fs::resize_file(model / file, size); };
  };
  const auto overwrite = [](const char* file, const std::string& bytes) {
    return [=](const fs::path& model) {
      std::string text = read_file(model / file);
      write_file(model / file, text.replace(0, bytes.size(), bytes));
    };
  };
  return {
      {"NoFolder", [](const fs::path& model) { fs::remove_all(model); }, {"model", "expected"}},
      {"NoConfig", remove("config.json"), {"config.json"}},
      {"NoTokenizer", remove("tokenizer.json"), {"tokenizer.json"}},
      {"NoWeights", remove("model.safetensors"), {"model.safetensors"}},
      {"CutWeights", resize("model.safetensors", 700'000), {"model.safetensors", "700000"}},
      {"CutHeader", resize("model.safetensors", 100), {"model.safetensors", "100"}},
      {"EmptyWeights", resize("model.safetensors", 0), {"model.safetensors"}},
      {"WrongMagic", overwrite("model.safetensors", "GGUF\x03\x01\x01\x01"), {"model.safetensors"}},
      {"UnknownArchitecture",
       replace("config.json", "LlamaForCausalLM", "WalrusForCausalLM"),
       {"config.json", "WalrusForCausalLM", "LlamaForCausalLM"}},
      {"CutConfig", resize("config.json", 40), {"config.json"}},
      {"WrongWidth",
       replace("config.json", "\"intermediate_size\": 352", "\"intermediate_size\": 360"),
       {"352", "360"}},
      {"MissingTensor",
       replace("model.safetensors", "layers.1.mlp.down_proj", "layers.1.mlp.done_proj"),
       {"model.layers.1.mlp.down_proj.weight"}},
      {"CutTokenizer", resize("tokenizer.json", 5000), {"tokenizer.json"}},
  };
}

INSTANTIATE_TEST_SUITE_P(Models, BrokenModel, testing::ValuesIn(breakages()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace cli
