#include "command_line.h"

#include "failure.h"
#include "numbers.h"
#include "print.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <map>

namespace cli {
namespace {

using CLI::App;

constexpr uint32_t kMaxU32 = std::numeric_limits<uint32_t>::max();
constexpr uint64_t kMaxU64 = std::numeric_limits<uint64_t>::max();

constexpr std::string_view kCommands =
    "one of run, chat, devices, plan, dump, verify, tokenize, quantize, inspect, bench, tune";

// Numbers are parsed here and not by CLI11, so that every error says what is expected.

template <class Target>  // uint32_t, uint64_t or an optional of them
void add_whole(App& app, const std::string& name, Target& target, uint64_t min, uint64_t max,
               const std::string& description) {
  app.add_option_function<std::string>(
         name,
         [=, &target](const std::string& text) { target = parse_whole(name, text, min, max); },
         description)
      ->type_name("N");
}

void add_real(App& app, const std::string& name, std::optional<float>& target, const Range& range,
              const std::string& description) {
  app.add_option_function<std::string>(
         name, [=, &target](const std::string& text) { target = parse_real(name, text, range); },
         description)
      ->type_name("X");
}

template <class T>
CLI::Option* add_choice(App& app, const std::string& name, T& target,
                        const std::map<std::string, T>& choices, const std::string& description) {
  std::vector<std::string> words;
  for (const auto& [word, value] : choices) words.push_back(word);
  const auto set = [=, &target](const std::string& text) {
    const auto found = choices.find(text);
    if (found == choices.end()) {
      throw Failure(
          fmt::format("{} is '{}', expected one of {}", name, one_line(text), join(words, ", ")),
          kExitUsage);
    }
    target = found->second;
  };
  return app.add_option_function<std::string>(name, set, description)->type_name(join(words, "|"));
}

void add_device_options(App& app, ModelOptions& model) {
  using handloom::KvType;
  using handloom::Precision;
  add_choice<Precision>(
      app, "--precision", model.precision,
      {{"f32", Precision::f32}, {"f16", Precision::f16}, {"auto", Precision::automatic}},
      "of weights, and of the KV cache; auto: f16 if the adapter can");
  add_choice<KvType>(app, "--kv", model.kv,
                     {{"f32", KvType::f32}, {"f16", KvType::f16}, {"int8", KvType::int8}},
                     "of the KV cache (default: as --precision)");
  using handloom::PlanKind;
  add_choice<PlanKind>(app, "--plan", model.plan,
                       {{"plain", PlanKind::plain}, {"fused", PlanKind::fused}},
                       "how steps are recorded (default: fused)");
  add_choice<std::string>(app, "--matvec", model.matvec,
                          {{"f32", "f32"}, {"f16", "f16"}, {"int8", "int8"}},
                          "how decode multiplies (default: what is fastest)");
  add_choice<std::optional<bool>>(app, "--subgroups", model.subgroups, {{"0", false}, {"1", true}},
                                  "0: as if the adapter had none");
  using handloom::Tune;
  add_choice<Tune>(app, "--tune", model.tune, {{"auto", Tune::automatic}, {"off", Tune::off}},
                   "auto: measure once how decode multiplies fastest; off: fixed rules")
      ->envname("HANDLOOM_TUNE");
  app.add_option("--adapter", model.adapter, "index or part of a name; see handloom devices")
      ->type_name("A");
}

void add_model_options(App& app, ModelOptions& model) {
  app.add_option("--model", model.folder, "model folder or .gguf file (default: the starter model)")
      ->type_name("DIR");
  add_whole(app, "--context", model.context, 1, kMaxU32,
            "tokens at most (default: the model's, or what fits)");
  app.add_option_function<std::string>(
         "--memory-budget",
         [&](const std::string& text) {
           model.memory_budget = parse_bytes("--memory-budget", text);
         },
         "of the GPU for everything: 800M, 2G (default: all)")
      ->type_name("SIZE");
  using handloom::KvSpill;
  add_choice<KvSpill>(app, "--kv-spill", model.kv_spill,
                      {{"none", KvSpill::none}, {"host", KvSpill::host}},
                      "beyond the budget, the oldest KV pages go to the host; slow");
  add_device_options(app, model);
}

void add_prompt_options(App& app, PromptSource& prompt) {
  app.add_option("PROMPT", prompt.text, "one user turn; - or none: from stdin")->type_name("");
  app.add_option("--file", prompt.file, "prompt from a file, less one newline at its end")
      ->type_name("FILE");
  app.add_option("--messages", prompt.messages_file, "chat from JSON: [{role, content}, ...]")
      ->type_name("FILE");
  app.add_flag("--raw", prompt.raw, "no chat template: the text as it is");
}

void add_sampling_options(App& app, SamplingFlags& sampling) {
  add_real(app, "--temperature", sampling.temperature, kNotNegative, "0: greedy");
  add_whole(app, "--top-k", sampling.top_k, 0, kMaxU32, "keep the N likeliest tokens; 0: all");
  add_real(app, "--top-p", sampling.top_p, kTopP, "keep the likeliest up to probability X");
  add_real(app, "--min-p", sampling.min_p, kMinP, "drop tokens below X times the likeliest");
  add_real(app, "--repeat-penalty", sampling.repeat_penalty, kPositive,
           "divides logits of tokens seen; 1: none");
  add_real(app, "--frequency-penalty", sampling.frequency_penalty, kAny,
           "subtracted per occurrence");
  add_real(app, "--presence-penalty", sampling.presence_penalty, kAny,
           "subtracted from tokens generated before");
  app.add_option_function<std::vector<std::string>>(
         "--logit-bias",
         [&](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) {
             sampling.logit_bias.push_back(parse_logit_bias("--logit-bias", text));
           }
         },
         "added to the logit of a token; may repeat")
      ->type_name("ID=X")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_whole(app, "--seed", sampling.seed, 0, kMaxU64, "same seed, same adapter: same text");
}

void add_decode_options(App& app, DecodeFlags& decode) {
  add_whole(app, "--steps-in-flight", decode.steps_in_flight, 1, 64,
            "decode steps submitted ahead (default: chosen by latency)");
  add_choice<bool>(app, "--sample", decode.sample_on_host, {{"host", true}, {"gpu", false}},
                   "where tokens are chosen (default: gpu)");
}

void check_one_prompt(const PromptSource& prompt) {
  std::vector<std::string> given;
  if (prompt.text) given.push_back("PROMPT");
  if (!prompt.file.empty()) given.push_back("--file");
  if (!prompt.messages_file.empty()) given.push_back("--messages");
  if (!prompt.ids.empty()) given.push_back("--ids");
  if (given.size() > 1) {
    throw Failure(
        fmt::format("{} are given together, expected at most one of them", join(given, " and ")),
        kExitUsage);
  }
  if (prompt.raw && !prompt.messages_file.empty()) {
    throw Failure("--raw is given with --messages, expected a chat template for messages",
                  kExitUsage);
  }
}

void check_stops(const std::vector<std::string>& stops) {
  for (const std::string& stop : stops) {
    if (stop.empty()) throw Failure("--stop is '', expected some text", kExitUsage);
  }
}

void check_one_step(const PlanCommand& plan) {
  if (!plan.prefill || !plan.context_length) return;
  throw Failure("--prefill and --context-length are given together, expected at most one of them",
                kExitUsage);
}

/// Adds a subcommand whose options fill `command`.
template <class T>
App& add_command(App& app, const std::string& name, const std::string& description, T& command,
                 Command& result, const std::string& examples,
                 const std::function<void()>& check = {}) {
  App& added = *app.add_subcommand(name, description);
  added.footer("Examples:\n" + examples);
  added.final_callback([&result, &command, check] {
    if (check) check();
    result = command;
  });
  return added;
}

void add_run(App& app, RunCommand& run, Command& result) {
  App& added =
      add_command(app, "run", "Answers a prompt", run, result,
                  "  handloom run \"What is the capital of France?\"\n"
                  "  handloom run --temperature 0 --max-tokens 50 \"Count to ten.\"\n"
                  "  handloom run --model models/starter --messages chat.json --json\n"
                  "  echo \"Once upon a time\" | handloom run --raw --seed 7 --stop \".\"\n",
                  [&run] {
                    check_one_prompt(run.prompt);
                    check_stops(run.stop);
                  });
  add_model_options(added, run.model);
  add_prompt_options(added, run.prompt);
  add_whole(added, "--max-tokens", run.max_tokens, 1, kMaxU32,
            "end after N tokens (default: when the context is full)");
  added.add_option("--stop", run.stop, "end before this text; may repeat")
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_sampling_options(added, run.sampling);
  add_decode_options(added, run.decode);
  added.add_flag("--verify", run.verify, "first compare every stage with the CPU reference");
  added.add_flag("--dry-run", run.dry_run, "only say what would be allocated, and whether it fits");
  added.add_flag("--json", run.json, "one JSON object instead of text");
}

void add_chat(App& app, ChatCommand& chat, Command& result) {
  App& added = add_command(app, "chat", "Holds a conversation", chat, result,
                           "  handloom chat\n"
                           "  handloom chat --model DIR --system \"You are terse.\" --stats\n"
                           "  handloom chat --temperature 0 < questions.txt > answers.txt\n\n"
                           "Answers go to stdout, all else to stderr. In the chat /help lists the "
                           "commands.\nA conversation that outgrows the context, less room for "
                           "the answer (--max-tokens,\na quarter of the context at most), loses "
                           "its oldest turns and says so;\nwith --overflow refuse the message is "
                           "refused instead.\n");
  add_model_options(added, chat.model);
  added.add_option("--system", chat.system, "the system prompt, or the file that holds it")
      ->type_name("TEXT|@FILE");
  add_whole(added, "--max-tokens", chat.max_tokens, 1, kMaxU32,
            "end an answer after N tokens (default: when the context is full)");
  add_choice<Overflow>(added, "--overflow", chat.overflow,
                       {{"drop", Overflow::drop}, {"refuse", Overflow::refuse}},
                       "when the context is full (default: drop)");
  add_sampling_options(added, chat.sampling);
  add_decode_options(added, chat.decode);
  added.add_flag("--stats", chat.stats, "a line of figures after every answer");
}

void add_devices(App& app, DevicesCommand& devices, Command& result) {
  App& added = add_command(app, "devices", "Lists the adapters: features, limits, and the one used",
                           devices, result,
                           "  handloom devices\n"
                           "  handloom devices --json\n");
  added.add_flag("--json", devices.json, "one JSON object instead of text");
}

void add_tune(App& app, TuneCommand& tune, Command& result) {
  App& added =
      add_command(app, "tune", "Measures how decode multiplies fastest on a device", tune, result,
                  "  handloom tune\n"
                  "  handloom tune --adapter llvmpipe\n\n"
                  "Takes a few seconds. What is fastest is kept in the cache folder and "
                  "used from then\non; handloom devices prints it. Other commands do the "
                  "same for the weights of a\nmodel when a device is first used, unless "
                  "told --tune off.\n");
  added.add_option("--adapter", tune.adapter, "index or part of a name; see handloom devices")
      ->type_name("A");
}

void add_plan(App& app, PlanCommand& plan, Command& result) {
  App& added = add_command(app, "plan", "Prints the list of dispatches of a step", plan, result,
                           "  handloom plan\n"
                           "  handloom plan --context-length 500 --all\n"
                           "  handloom plan --prefill 48 --json\n",
                           [&plan] { check_one_step(plan); });
  add_model_options(added, plan.model);
  add_whole(added, "--context-length", plan.context_length, 0, kMaxU32,
            "a decode step after N tokens (default: 100)");
  add_whole(added, "--prefill", plan.prefill, 1, kMaxU32, "a prefill of N tokens instead");
  added.add_flag("--all", plan.all, "every dispatch with all its bindings and constants");
  added.add_flag("--json", plan.json, "one JSON object instead of text");
}

void add_dump(App& app, DumpCommand& dump, Command& result) {
  App& added =
      add_command(app, "dump", "Writes the activations of every stage over a prompt", dump, result,
                  "  handloom dump --out stages.safetensors \"What is 17 + 25?\"\n"
                  "  handloom dump --out stages --format npy --ids 1,2,3 --one-by-one\n",
                  [&dump] { check_one_prompt(dump.prompt); });
  add_model_options(added, dump.model);
  add_prompt_options(added, dump.prompt);
  added
      .add_option_function<std::string>(
          "--ids", [&](const std::string& text) { dump.prompt.ids = parse_ids("--ids", text); },
          "token ids instead of text")
      ->type_name("1,2,3");
  added.add_option("--out", dump.out, "file to write; with npy a folder")
      ->type_name("PATH")
      ->required();
  add_choice<handloom::TensorFormat>(
      added, "--format", dump.format,
      {{"safetensors", handloom::TensorFormat::safetensors}, {"npy", handloom::TensorFormat::npy}},
      "of the file (default: safetensors)");
  added.add_flag("--one-by-one", dump.one_by_one, "as decode steps instead of a prefill");
}

void add_verify(App& app, VerifyCommand& verify, Command& result) {
  App& added = add_command(
      app, "verify", "Compares every stage with a folder's reference.safetensors", verify, result,
      "  handloom verify tests/golden/llama2\n"
      "  handloom verify tests/golden/llama2 --precision f32 --adapter llvmpipe\n");
  added.add_option("DIR", verify.model.folder, "model folder with its reference")
      ->type_name("")
      ->required();
  added.add_option("--model", verify.model_path,
                   "the same weights in another kind of file, instead of the folder's");
  add_device_options(added, verify.model);
}

void add_tokenize(App& app, TokenizeCommand& tokenize, Command& result) {
  App& added = add_command(app, "tokenize", "Text to token ids and back", tokenize, result,
                           "  handloom tokenize \"Hello, world\"\n"
                           "  handloom tokenize --model models/starter --json < text.txt\n"
                           "  handloom tokenize --decode 17,250,3\n");
  added.add_option("TEXT", tokenize.text, "- or none: all of stdin, byte by byte")->type_name("");
  added
      .add_option("--model", tokenize.folder,
                  "model folder or .gguf file (default: the starter model)")
      ->type_name("DIR");
  added.add_flag("--no-specials", tokenize.no_specials, "do not add BOS and the like");
  added
      .add_option_function<std::vector<std::string>>(
          "--decode",
          [&](const std::vector<std::string>& texts) {
            tokenize.decode = parse_ids("--decode", join(texts, " "));
          },
          "print the text of these ids")
      ->type_name("IDS");
  added.add_flag("--json", tokenize.json, "the ids as a JSON array; with --decode a JSON string");
}

void check_type(const QuantizeCommand& quantize) {
  const std::vector<std::string> types = handloom::quantise_types();
  if (std::ranges::find(types, quantize.type) != types.end()) return;
  throw Failure(
      fmt::format("--type is '{}', expected one of {}", one_line(quantize.type), join(types, ", ")),
      kExitUsage);
}

void check_block(const QuantizeCommand& quantize) {
  if (quantize.block == 32 || quantize.block == 64 || quantize.block == 128) return;
  throw Failure(fmt::format("--block is {}, expected 32, 64 or 128", quantize.block), kExitUsage);
}

void add_quantize(App& app, QuantizeCommand& quantize, Command& result) {
  App& added =
      add_command(app, "quantize", "Writes a model with other types of weights", quantize, result,
                  "  handloom quantize models/starter starter.gguf --type q8_0\n"
                  "  handloom quantize Llama-3.2-1B-Instruct llama.gguf --type q4_k_m --force\n"
                  "  handloom quantize model.gguf folder --type int8-block --block 128\n",
                  [&quantize] {
                    check_type(quantize);
                    check_block(quantize);
                  });
  added.add_option("IN", quantize.in, "model folder or .gguf file")->type_name("")->required();
  added.add_option("OUT", quantize.out, "file to write; with int8-block a folder")
      ->type_name("")
      ->required();
  added.add_option("--type", quantize.type, "of most of the matrices")
      ->type_name(join(handloom::quantise_types(), "|"))
      ->required();
  add_whole(added, "--block", quantize.block, 32, 128,
            "int8-block: values that share a scale; 32, 64 or 128 (default: 64)");
  added.add_flag("--force", quantize.force, "overwrite what is there");
}

void add_inspect(App& app, InspectCommand& inspect, Command& result) {
  App& added = add_command(app, "inspect", "Prints what the files of a model say, without a GPU",
                           inspect, result,
                           "  handloom inspect models/starter\n"
                           "  handloom inspect model.gguf --context 4096\n"
                           "  handloom inspect model.safetensors --json\n");
  added.add_option("FILE", inspect.path, "model folder, .gguf or .safetensors file")
      ->type_name("")
      ->required();
  add_whole(added, "--context", inspect.context, 1, kMaxU32, "tokens to count memory for");
  added.add_flag("--json", inspect.json, "one JSON object instead of text");
}

void add_bench(App& app, BenchCommand& bench, Command& result) {
  App& added = add_command(app, "bench", "Measures a model's speed, and checks it in the same run",
                           bench, result,
                           "  handloom bench --model model.gguf\n"
                           "  handloom bench --contexts 256,4000 --profile --json before.json\n"
                           "  handloom bench --compare before.json --ablate\n");
  add_model_options(added, bench.model);
  added
      .add_option_function<std::string>(
          "--contexts",
          [&](const std::string& text) { bench.contexts = parse_counts("--contexts", text); },
          "tokens held when decoding begins (default: 256,1024,4000, or what fits)")
      ->type_name("N,N,..");
  add_whole(added, "--prompt", bench.prompt, 1, kMaxU32,
            "tokens of the prefill (default: 512, or half the context)");
  add_whole(added, "--tokens", bench.tokens, 1, kMaxU32, "decoded at each context (default: 256)");
  add_whole(added, "--repeats", bench.repeats, 1, 1000, "of every measurement (default: 5)");
  add_whole(added, "--steps-in-flight", bench.steps_in_flight, 1, kMaxU32,
            "submitted ahead (default: chosen)");
  add_choice<bool>(added, "--sample", bench.sample_on_host, {{"host", true}, {"gpu", false}},
                   "where tokens are chosen (default: gpu)");
  added.add_option("--json", bench.json, "a file for all of it; -: to stdout, the table to stderr")
      ->type_name("FILE");
  added.add_option("--compare", bench.compare, "an earlier --json: the ratio of each figure")
      ->type_name("FILE");
  added.add_flag("--profile", bench.profile, "GPU time by kernel, of a decode step and a prefill");
  added.add_flag("--ablate", bench.ablate, "the same with one choice changed at a time");
}

/// "run ", or nothing if no command was recognised.
std::string used_command(const App& app) {
  const auto used = app.get_subcommands();
  return used.empty() ? "" : used.front()->get_name() + " ";
}

/// What is left over: an unknown command, an unknown option, or a word too many.
std::string extra_sentence(const App& app, const std::string& extra) {
  const std::string command = used_command(app);
  if (extra.starts_with("-")) {
    return fmt::format("'{}' is not an option, expected one of handloom {}--help", extra, command);
  }
  if (command.empty()) return fmt::format("'{}' is not a command, expected {}", extra, kCommands);
  return fmt::format("'{}' is one argument too many; text of several words needs quotes", extra);
}

std::string usage_sentence(const App& app, const CLI::ParseError& error) {
  const auto extras = app.remaining(true);
  if (!extras.empty()) return extra_sentence(app, extras.front());
  if (app.get_subcommands().empty())
    return fmt::format("no command is given, expected {}", kCommands);
  const std::string words = error.what();
  if (error.get_name() == "ArgumentMismatch" && words.ends_with("missing")) {
    return fmt::format("{} has no value, expected one", words.substr(0, words.find(':')));
  }
  // The rest of CLI11's words name the option too.
  return fmt::format("{}; see handloom {}--help", words, used_command(app));
}

}  // namespace

Command parse_command_line(const std::vector<std::string>& arguments) {
  App app("handloom runs language models on any GPU from hand-written WGSL kernels.", "handloom");
  app.get_formatter()->column_width(30);
  app.set_version_flag("--version", "handloom " + std::string(handloom::version()));
  app.require_subcommand(1);
  app.footer(
      "handloom COMMAND --help shows the options of a command and examples.\n\nExamples:\n"
      "  handloom run \"What is the capital of France?\"\n"
      "  handloom chat\n"
      "  handloom devices\n"
      "  handloom plan\n");

  Command result;
  RunCommand run;
  ChatCommand chat;
  DevicesCommand devices;
  PlanCommand plan;
  DumpCommand dump;
  VerifyCommand verify;
  TokenizeCommand tokenize;
  QuantizeCommand quantize;
  InspectCommand inspect;
  BenchCommand bench;
  TuneCommand tune;
  add_run(app, run, result);
  add_chat(app, chat, result);
  add_devices(app, devices, result);
  add_plan(app, plan, result);
  add_dump(app, dump, result);
  add_verify(app, verify, result);
  add_tokenize(app, tokenize, result);
  add_quantize(app, quantize, result);
  add_inspect(app, inspect, result);
  add_bench(app, bench, result);
  add_tune(app, tune, result);

  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11's order
  } catch (const CLI::CallForHelp&) {
    return PrintText{app.help()};
  } catch (const CLI::CallForVersion& version) {
    return PrintText{std::string(version.what()) + "\n"};
  } catch (const CLI::ParseError& error) {
    throw Failure(one_line(usage_sentence(app, error)), kExitUsage);
  }
  return result;
}

}  // namespace cli
