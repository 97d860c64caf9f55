// handloom: language models on any GPU. This header is the only door.
//
//   Engine      a loaded model on a device: weights, tokenizer, kernels. Load once, share.
//   Session     one timeline of tokens with its KV cache. Several may share an Engine.
//   Tokenizer   text to token ids and back, usable without a GPU.
//
// Every fallible call answers Result<T>; nothing here throws, prints or exits. Calls on one Engine
// and its Sessions come from one thread at a time.
#pragma once

#include <handloom/adapter_info.h>
#include <handloom/error.h>
#include <handloom/sampling_options.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace handloom {

/// "0.1.0"
std::string_view version();

// ---------------------------------------------------------------------------------------------
// Devices

struct AdapterChoice {
  std::vector<AdapterInfo> adapters;
  uint32_t chosen = 0;  // what an empty LoadOptions::adapter picks
};

/// All adapters of this machine, the best first, software ones last. Error: gpu, if there is none.
Result<AdapterChoice> list_adapters();

// ---------------------------------------------------------------------------------------------
// Text

struct Piece {
  uint32_t id = 0;
  std::string text;  // the token as the vocabulary spells it
  bool special = false;
};

/// What a chat template needs. Rendering is the host's: Jinja natively, @huggingface/jinja in a
/// page.
struct ChatTemplate {
  std::string text;  // Jinja source; empty if the model has none
  std::string bos_token, eos_token, unk_token, pad_token;  // as text; empty if absent
};

class Tokenizer {
 public:
  /// `path`: whatever Engine::load takes; of a folder, tokenizer.json, and perhaps
  /// tokenizer_config.json and chat_template.jinja, are enough.
  static Result<Tokenizer> load(const std::string& path);

  /// With `add_specials` the model's own post-processor adds BOS and the like.
  Result<std::vector<uint32_t>> encode(std::string_view text, bool add_specials) const;
  Result<std::string> decode(std::span<const uint32_t> ids, bool skip_specials = false) const;
  Result<std::vector<Piece>> pieces(std::span<const uint32_t> ids) const;
  uint32_t vocab_size() const;  // 1 + the largest id
  const ChatTemplate& chat_template() const;

  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  const std::shared_ptr<const Impl>& impl() const { return impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

// ---------------------------------------------------------------------------------------------
// Loading

/// The arithmetic type of what handloom stores; sums are always f32.
///   f32        weights as in the file (bf16 and f16 are exact in f32), KV cache f32
///   f16        weights and KV cache rounded to f16; refused if a weight overflows
///   automatic  f16 if the adapter has shader-f16, else f32
enum class Precision { f32, f16, automatic };

/// How keys and values are stored.
///   automatic  f16 if weights are, else f32
///   int8       8 bits each and an f16 scale for each row of a head; about half of f16
enum class KvType { automatic, f32, f16, int8 };

/// What happens to keys and values beyond the memory budget.
///   none  a context that does not fit is refused
///   host  the oldest move to the host's memory, and are copied back for every step: slow, and to
///         the bit what they would have been
enum class KvSpill { none, host };

/// How steps are recorded.
///   plain      a dispatch for each operation, as a textbook lists them
///   fused      several operations of a layer in one dispatch, where a decode step allows it
///   automatic  fused
enum class PlanKind { automatic, plain, fused };

/// Where the forms of a decode step's matrix products come from: see ProductForm.
///   off        fixed rules; nothing is read or written
///   automatic  what was measured on this device, which takes some seconds when it is first used
///              and is kept in the user's cache folder. Rules, too, where matvec or subgroups are
///              given, and in a page.
enum class Tune { off, automatic };

struct LoadProgress {
  uint64_t done_bytes = 0, total_bytes = 0;
  std::string_view stage;  // "weights", "kernels"
};

struct LoadOptions {
  std::string adapter;  // index, or part of a name in any case; empty: the best one
  Precision precision = Precision::automatic;
  uint32_t context = 0;  // tokens a session can hold; 0: the model's, or what fits
  KvType kv = KvType::automatic;
  KvSpill kv_spill = KvSpill::none;
  uint64_t memory_budget = 0;  // bytes of GPU memory for everything; 0: what the adapter has
  uint32_t kv_slab = 0;        // for tests: tokens a slab, a multiple of 256; 0: chosen
  PlanKind plan = PlanKind::automatic;
  std::string matvec;  // how decode multiplies: "f32", "f16" or "int8"; empty: what is fastest here
  std::optional<bool> subgroups;  // false: as if the adapter had none
  Tune tune = Tune::off;
  std::function<void(const LoadProgress&)> on_progress;
  /// Called with a sentence that a person should read, such as that the device was measured, or why
  /// that could not be; loading goes on.
  std::function<void(std::string_view)> on_notice;
};

/// GPU memory, by what it is for, in bytes.
struct MemoryUse {
  uint64_t weights = 0, kv_cache = 0, activations = 0, other = 0;
  uint64_t kv_host = 0;  // of the KV cache, in the host's memory; not part of the total
  uint64_t total() const { return weights + kv_cache + activations + other; }
};

/// What loading a model would take, worked out without reading its weights.
struct MemoryEstimate {
  MemoryUse use;                 // with a session whose context is full
  uint32_t context = 0;          // as asked for; else what Engine::load would choose
  uint32_t fitting_context = 0;  // the longest that fits; 0: not even one page
  uint64_t budget = 0;           // bytes that all of it must fit in; 0: the adapter does not tell
  bool fits = false;
  std::string kv_dtype;  // "f16"
  AdapterInfo adapter;
};

/// How the fused plan's decode steps multiply by weights of one type. All forms give the same
/// product, but for the rounding of activations; which is fastest depends on the device.
struct ProductForm {
  std::string weight;           // "q4_0"
  std::string act;              // of activations: "f32", or "int8" where weights have codes
  bool subgroups = false;       // a dot product is a subgroup's work; else a workgroup's
  uint32_t workgroup_size = 0;  // invocations
  uint32_t n_outputs = 0;       // dot products of a workgroup
  uint32_t rows_at_once = 1;    // dot products that one of them computes together
  uint32_t wide_below = 0;      // rows of a matrix below which two subgroups share one; 0: never
  bool knows_shape = false;     // a pipeline for each shape of matrix instead of one for all
  bool is_measured = false;     // chosen by measurement on this device, not by rule
};

struct ModelInfo {
  std::string folder;
  std::string architecture;              // "llama"
  std::string weight_dtype;              // as on the GPU: "bf16"
  std::string kv_dtype;                  // "f32", "f16" or "int8"
  Precision precision = Precision::f32;  // f16 if matrices were rounded to it, never automatic
  std::string plan;                      // of decode steps: "fused" or "plain"
  std::string matvec;  // "int8", "f16": activations of decode steps, for some weights; or "f32"
  std::vector<ProductForm> products;  // by the types of the model's matrices; plain: none
  uint32_t n_layers = 0, model_dim = 0, ffn_dim = 0, n_heads = 0, n_kv_heads = 0, head_dim = 0;
  uint32_t vocab_size = 0;
  uint32_t max_seq_len = 0;  // what the model was made for
  uint32_t context = 0;      // what a session here can hold
  uint64_t n_parameters = 0;
  uint64_t weight_bytes_per_token = 0;  // read from GPU memory by one decode step
  uint64_t kv_bytes_per_token = 0;      // added to a decode step's reads by each token of context
};

// ---------------------------------------------------------------------------------------------
// Model files

/// What the tensors of one type add up to.
struct TypeShare {
  std::string dtype;  // "q4_k"
  uint64_t n_tensors = 0, n_weights = 0, bytes = 0;
};

/// What quantise_model writes: "f16", "q8_0", "q4_0", "q4_k_m", "int8-block".
std::vector<std::string> quantise_types();

struct QuantiseOptions {
  std::string type;
  uint32_t block = 64;     // int8-block: values that share a scale; 32, 64 or 128
  bool overwrite = false;  // what is there already
  /// Answer false to stop; nothing is written then.
  std::function<bool(const LoadProgress&)> on_progress;
};

struct QuantiseReport {
  uint64_t n_weights = 0, bytes = 0;  // of all tensors
  std::vector<TypeShare> types;
  std::vector<std::string> notes;  // what did not go as asked, a sentence each
};

/// Writes the model at `in` (whatever Engine::load takes) with other types of weights: a GGUF file
/// that other programs load, too, or for int8-block a folder of safetensors. `out` is written whole
/// or not at all.
Result<QuantiseReport> quantise_model(const std::string& in, const std::string& out,
                                      const QuantiseOptions& options);

struct InspectedTensor {
  std::string name, dtype;
  std::vector<uint64_t> shape;
  uint64_t bytes = 0;  // 0: of a type that handloom does not read
};

struct SpecialToken {
  std::string role;  // "bos"
  uint32_t id = 0;
  std::string text;
};

/// A line of the outline of a forward pass.
struct FlowStep {
  uint32_t depth = 0;  // 1: in each layer
  std::string op;      // "attention"
  std::string text;    // "32 heads over 8 of keys and values, 64 wide, all keys"
};

/// What the files of a model say, so far as they can be read.
struct Inspection {
  std::string path, kind;                                     // "GGUF file"
  std::string architecture;                                   // "llama"; empty: unknown
  std::vector<std::pair<std::string, std::string>> settings;  // {"layers", "16"}
  uint64_t n_parameters = 0;                                  // a tied matrix counted once
  std::vector<InspectedTensor> tensors;                       // as in the files, by name
  std::vector<TypeShare> types;

  std::string tokenizer;  // "byte-level BPE, pre-tokenizer llama-bpe"; empty: none
  uint32_t n_pieces = 0;
  std::vector<SpecialToken> specials;
  std::string chat_template;  // Jinja source

  std::vector<FlowStep> flow;
  uint32_t context = 0;       // tokens for which memory is counted
  uint64_t weight_bytes = 0;  // of all tensors in the files
  uint64_t kv_f32_bytes = 0, kv_f16_bytes = 0, kv_int8_bytes = 0;

  std::vector<std::string> problems;  // why Engine::load would refuse it; empty: it would not
};

/// Reads a folder, a .gguf file, or a .safetensors file alone. `context`: 0 for what a session has
/// unless told otherwise. Errors: only where nothing can be said, as of a file that is not there.
Result<Inspection> inspect_model(const std::string& path, uint32_t context = 0);

// ---------------------------------------------------------------------------------------------
// The list of dispatches

struct PlanBinding {
  std::string name;    // the kernel's name for it
  std::string tensor;  // the tensor bound
  std::string dtype, shape;
  bool written = false;
};

struct PlanEntry {
  uint32_t index = 0;
  std::string kernel;  // "rms_norm"
  std::vector<PlanBinding> bindings;
  std::string constants;  // "workgroup_size=64"
  std::string params;     // "dim4=64 eps=1e-05"
  uint32_t workgroups[3] = {1, 1, 1};
  uint64_t bytes = 0;  // moved to or from GPU memory, each tensor counted once
};

struct Plan {
  std::string title;  // "decode step at position 100"
  std::vector<PlanEntry> entries;
};

// ---------------------------------------------------------------------------------------------
// Activations

struct HostTensor {
  std::string name;             // "layers.0.attn"
  std::vector<uint32_t> shape;  // row-major
  std::vector<float> values;
};

enum class TensorFormat { safetensors, npy };

/// safetensors: one file `path`. npy: `path` is a folder, made if absent, one file a tensor.
Result<void> write_tensors(const std::string& path, TensorFormat format,
                           std::span<const HostTensor> tensors);

struct StageReport {
  std::string name;         // "prefill layers.0.attn"
  double max_error = 0.0;   // largest over the rows of ||got - want|| / ||want||
  double mean_error = 0.0;  // the mean over the rows
  double tolerance = 0.0;
  bool passed = false;
};

// ---------------------------------------------------------------------------------------------
// Engine

class Session;

class Engine {
 public:
  /// `path`: a folder with config.json, tokenizer.json and model.safetensors, or its shards with
  /// their index; a .gguf file, or a folder that holds one; an MLC folder.
  static Result<Engine> load(const std::string& path, const LoadOptions& options = {});
  /// The same files and options, but nothing is allocated. Errors: those of reading, and of options
  /// that contradict each other; not that it does not fit.
  static Result<MemoryEstimate> estimate(const std::string& path, const LoadOptions& options = {});
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  const Tokenizer& tokenizer() const;
  const ModelInfo& model() const;
  const AdapterInfo& adapter() const;
  MemoryUse memory() const;
  double load_ms() const;  // without what tuning took
  /// The sampling that generation_config.json asks for; greedy where it says nothing.
  const SamplingOptions& default_sampling() const;

  Result<Session> new_session();

  /// The recorded dispatches of a prefill of `n_tokens`, or of one decode step after `n_tokens`.
  Result<Plan> plan_prefill(uint32_t n_tokens);
  Result<Plan> plan_decode(uint32_t n_tokens);

  /// Activations of every named stage over `ids`. `one_by_one`: as decode steps instead of a
  /// prefill.
  Result<std::vector<HostTensor>> dump(std::span<const uint32_t> ids, bool one_by_one = false);

  /// Bytes per second that a plain read of a large buffer reaches; measured once, in about 0.1 s.
  Result<double> measure_read_bandwidth();

  /// For tests: the device behaves as if it had been unplugged.
  void lose_device_for_test();

  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// Compares every stage with `folder`/reference.safetensors, as prefill and token by token, calls
/// `on_stage` for each in order and stops after the first that fails. True if all passed. The model
/// is that of the folder, or the one at `model`: the same weights in another kind of file.
Result<bool> verify_folder(const std::string& folder, const LoadOptions& options,
                           const std::function<void(const StageReport&)>& on_stage,
                           const std::string& model = "");

/// Runs `ids` on the GPU and on the plain CPU reference and compares every stage likewise.
Result<bool> verify_against_cpu(Engine& engine, std::span<const uint32_t> ids,
                                const std::function<void(const StageReport&)>& on_stage);

// ---------------------------------------------------------------------------------------------
// Generating

enum class FinishReason {
  stop,       // an end token or a stop string
  length,     // max_tokens reached, or the context is full
  cancelled,  // on_text answered false
};
std::string_view to_string(FinishReason reason);

struct GenerateOptions {
  uint32_t max_tokens = 0;  // 0: until the context is full
  SamplingOptions sampling;
  std::vector<std::string> stop;   // generation ends before the first of these in the text
  std::vector<uint32_t> stop_ids;  // end tokens beside the model's own end-of-sequence tokens
  /// Decode steps submitted, the oldest token not read included; at most 64. 0: as many as the
  /// measured time from a submit to its bytes needs for the GPU never to wait for the host.
  uint32_t steps_in_flight = 0;
  bool sample_on_host = false;  // choose every token there; then one step is in flight
  bool ids_only = false;        // for measurements: no text, and end tokens do not end it
  /// With sample_on_host: the logits that each token is chosen from, [vocab_size].
  std::function<void(std::span<const float> logits)> on_logits;
  /// Called with each piece of finished text (perhaps empty: part of a character, or of a stop
  /// string). Answer false to end cleanly after this token.
  std::function<bool(std::string_view text, uint32_t token_id)> on_text;
};

struct Timings {
  uint32_t n_prompt = 0;  // tokens evaluated by prefill
  uint32_t n_generated = 0;
  double prefill_ms = 0.0;       // until the first token is known
  double decode_ms = 0.0;        // from the first token to the last
  uint64_t decode_bytes = 0;     // weights and KV read by the decode steps
  uint32_t steps_in_flight = 0;  // at the end
  double visible_ms = 0.0;  // from a decode step's submit until its token is known here; the median
};

struct Generation {
  std::vector<uint32_t> ids;  // generated, the ending token included
  std::string text;           // without special tokens and without the stop string
  FinishReason finish_reason = FinishReason::stop;
  Timings timings;
};

class Session {
 public:
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  /// Evaluates the prompt after whatever the session holds and generates. The prompt must not be
  /// empty, and prompt and context must fit: the error gives both numbers.
  Result<Generation> generate(std::span<const uint32_t> prompt_ids, const GenerateOptions& options);

  /// The timeline: prompts and generated tokens, the ending ones included. Valid until the next
  /// call that changes it.
  std::span<const uint32_t> ids() const;
  /// Tokens held.
  uint32_t length() const;
  /// Keeps the first `length` tokens of the timeline. Their keys and values stay, so that the next
  /// prompt goes on from there with nothing computed again. Error: invalid_argument, if fewer are
  /// held.
  Result<void> rewind(uint32_t length);
  void reset();

  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace handloom
