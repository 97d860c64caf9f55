// The commands as data, as the command line fills them in, and the functions that carry them out.
// Each function answers the exit code and throws Failure where there is one sentence to say.
#pragma once

#include <handloom/handloom.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace cli {

/// Which model, where and how: the options that every command with a GPU takes.
struct ModelOptions {
  std::string folder;   // empty: the starter model
  std::string adapter;  // empty: the best one
  handloom::Precision precision = handloom::Precision::automatic;
  uint32_t context = 0;  // 0: the model's own
  handloom::KvType kv = handloom::KvType::automatic;
  handloom::KvSpill kv_spill = handloom::KvSpill::none;
  uint64_t memory_budget = 0;  // bytes; 0: what the adapter has
  handloom::PlanKind plan = handloom::PlanKind::automatic;
  std::string matvec;             // "f32", "f16" or "int8"; empty: what is fastest
  std::optional<bool> subgroups;  // false: as if the adapter had none
  handloom::Tune tune = handloom::Tune::automatic;
};

/// Where the prompt comes from. At most one of text, file, messages_file and ids; none of them:
/// stdin.
struct PromptSource {
  std::optional<std::string> text;  // "-": stdin
  std::string file;                 // "-": stdin
  std::string messages_file;        // "-": stdin
  std::vector<uint32_t> ids;
  bool raw = false;  // no chat template
};

/// What the command line says about sampling; the rest is the model's generation_config.json.
struct SamplingFlags {
  std::optional<float> temperature, top_p, min_p;
  std::optional<float> repeat_penalty, frequency_penalty, presence_penalty;
  std::optional<uint32_t> top_k;
  std::vector<std::pair<uint32_t, float>> logit_bias;
  std::optional<uint64_t> seed;
};

/// How decode steps are driven; neither changes a token.
struct DecodeFlags {
  uint32_t steps_in_flight = 0;  // 0: chosen
  bool sample_on_host = false;
};

struct RunCommand {
  ModelOptions model;
  PromptSource prompt;
  SamplingFlags sampling;
  DecodeFlags decode;
  uint32_t max_tokens = 0;  // 0: until the context is full
  std::vector<std::string> stop;
  bool verify = false;
  bool dry_run = false;
  bool json = false;
};

/// What to do with a chat's turn that does not fit into the context.
enum class Overflow { drop, refuse };

struct ChatCommand {
  ModelOptions model;
  SamplingFlags sampling;
  DecodeFlags decode;
  std::string system;       // text, or @FILE; empty: none
  uint32_t max_tokens = 0;  // of an answer; 0: until the context is full
  Overflow overflow = Overflow::drop;
  bool stats = false;
};

struct DevicesCommand {
  bool json = false;
};

struct TuneCommand {
  std::string adapter;  // empty: the best one
};

struct PlanCommand {
  ModelOptions model;
  std::optional<uint32_t> prefill;         // tokens of a prefill; absent: a decode step
  std::optional<uint32_t> context_length;  // tokens before that decode step; absent: 100
  bool all = false;
  bool json = false;
};

struct DumpCommand {
  ModelOptions model;
  PromptSource prompt;
  std::string out;
  handloom::TensorFormat format = handloom::TensorFormat::safetensors;
  bool one_by_one = false;
};

struct VerifyCommand {
  ModelOptions model;
  std::string model_path;  // empty: the folder itself
};

struct TokenizeCommand {
  std::string folder;               // empty: the starter model
  std::optional<std::string> text;  // absent or "-": stdin
  std::optional<std::vector<uint32_t>> decode;
  bool no_specials = false;
  bool json = false;
};

struct QuantizeCommand {
  std::string in, out;
  std::string type;     // one of handloom::quantise_types()
  uint32_t block = 64;  // of int8-block
  bool force = false;
};

struct InspectCommand {
  std::string path;
  std::optional<uint32_t> context;
  bool json = false;
};

struct BenchCommand {
  ModelOptions model;
  std::vector<uint32_t> contexts;  // tokens before the first step; empty: the usual ones that fit
  std::optional<uint32_t> prompt;  // tokens; absent: 512, or half the context
  uint32_t tokens = 256;           // decoded at each context, or as many as there is room for
  uint32_t repeats = 5;
  uint32_t steps_in_flight = 0;  // 0: chosen
  bool sample_on_host = false;
  std::string json;     // a file; "-": stdout, and the table to stderr; empty: none
  std::string compare;  // an earlier --json; empty: none
  bool profile = false;
  bool ablate = false;
};

/// --help and --version: a text for stdout.
struct PrintText {
  std::string text;
};

using Command = std::variant<PrintText, RunCommand, ChatCommand, DevicesCommand, PlanCommand,
                             DumpCommand, VerifyCommand, TokenizeCommand, QuantizeCommand,
                             InspectCommand, BenchCommand, TuneCommand>;

int execute(const PrintText& command);
int execute(const RunCommand& command);
int execute(const ChatCommand& command);
int execute(const DevicesCommand& command);
int execute(const TuneCommand& command);
int execute(const PlanCommand& command);
int execute(const DumpCommand& command);
int execute(const VerifyCommand& command);
int execute(const TokenizeCommand& command);
int execute(const QuantizeCommand& command);
int execute(const InspectCommand& command);
int execute(const BenchCommand& command);

}  // namespace cli
