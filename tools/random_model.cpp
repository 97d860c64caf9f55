// random_model OUT.gguf --shape NAME --type TYPE [--vocab-from FOLDER]: a GGUF file with the true
// shapes of a known model and random weights, to measure speed with what need not be downloaded.
// The file is complete: it loads and generates, if nothing sensible.
//
// Codes are random bits; scales are the same in every block, such that a matrix keeps the size of
// what it multiplies: the variance of a weight is 1 / in_dim.
#include "base/half.h"
#include "base/parallel.h"
#include "convert/gguf_file.h"
#include "convert/plan.h"
#include "convert/vocabulary.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace handloom {
namespace {

using convert::Encoded;
using convert::OutTensor;
using formats::Config;
using formats::RopeScaling;
using formats::TensorInfo;

constexpr size_t kChunkBytes = size_t{4} << 20;  // that one thread fills at a time

// ---------------------------------------------------------------------------------------------
// Shapes, from the models' config.json

Config phi3_mini() {
  Config c{.architecture = "phi3",
           .model_dim = 3072,
           .ffn_dim = 8192,
           .n_layers = 32,
           .n_heads = 32,
           .n_kv_heads = 32,
           .head_dim = 96,
           .vocab_size = 32064,
           .max_seq_len = 4096,
           .norm_eps = 1e-5f,
           .rope = {.theta = 10000},
           .eos_ids = {32007, 32000},
           .bos_id = 1};
  c.fused_projections = true;
  c.windows.assign(c.n_layers, 2047);
  return c;
}

Config llama_1b() {
  return {.architecture = "llama",
          .model_dim = 2048,
          .ffn_dim = 8192,
          .n_layers = 16,
          .n_heads = 32,
          .n_kv_heads = 8,
          .head_dim = 64,
          .vocab_size = 128256,
          .max_seq_len = 131072,
          .norm_eps = 1e-5f,
          .tied_embeddings = true,
          .rope = {.theta = 500000,
                   .scaling = RopeScaling::llama3,
                   .factor = 32,
                   .low_freq_factor = 1,
                   .high_freq_factor = 4,
                   .original_max_seq_len = 8192},
          .eos_ids = {128009, 128001},
          .bos_id = 128000};
}

Config tinyllama() {
  return {.architecture = "llama",
          .model_dim = 2048,
          .ffn_dim = 5632,
          .n_layers = 22,
          .n_heads = 32,
          .n_kv_heads = 4,
          .head_dim = 64,
          .vocab_size = 32000,
          .max_seq_len = 2048,
          .norm_eps = 1e-5f,
          .rope = {.theta = 10000},
          .eos_ids = {2},
          .bos_id = 1};
}

Config qwen3_4b() {
  Config c{.architecture = "qwen3",
           .model_dim = 2560,
           .ffn_dim = 9728,
           .n_layers = 36,
           .n_heads = 32,
           .n_kv_heads = 8,
           .head_dim = 128,
           .vocab_size = 151936,
           .max_seq_len = 40960,
           .norm_eps = 1e-6f,
           .tied_embeddings = true,
           .rope = {.theta = 1000000},
           .eos_ids = {151645, 151643}};
  c.qk_norm = true;
  return c;
}

struct NamedShape {
  std::string_view name;
  Config (*make)();
};
constexpr std::array kShapes = {
    NamedShape{"phi-3-mini", phi3_mini}, NamedShape{"llama-3.2-1b", llama_1b},
    NamedShape{"tinyllama", tinyllama}, NamedShape{"qwen3-4b", qwen3_4b}};

Result<Config> find_shape(const std::string& name) {
  std::string known;
  for (const NamedShape& shape : kShapes) {
    known += fmt::format("{}{}", known.empty() ? "" : ", ", shape.name);
    if (shape.name != name) continue;
    Config config = shape.make();
    config.rope.dim = config.head_dim;
    config.attention_scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim));
    return config;
  }
  return fail(ErrorCode::invalid_argument, "--shape is '{}', expected one of {}", name, known);
}

// ---------------------------------------------------------------------------------------------
// Tensors: their heads as a file would hold them, for the plan to choose types by

class Heads {
 public:
  explicit Heads(const Config& config) : ones_(config.model_dim, 1.0f) {
    const Config& c = config;
    matrix("token_embd", c.vocab_size, c.model_dim);
    if (!c.tied_embeddings) matrix("output", c.vocab_size, c.model_dim);
    norm("output_norm", c.model_dim);
    for (uint32_t il = 0; il < c.n_layers; ++il) layer(c, fmt::format("blk.{}.", il));
  }

  std::vector<TensorInfo> take() { return std::move(heads_); }

 private:
  void matrix(const std::string& name, uint32_t rows, uint32_t in_dim) {
    heads_.push_back({.name = name + ".weight", .dtype = DType::f16, .shape = {rows, in_dim}});
  }
  void norm(const std::string& name, uint32_t dim) {
    const auto ones = std::as_bytes(std::span(ones_).first(dim));
    heads_.push_back(
        {.name = name + ".weight", .dtype = DType::f32, .shape = {dim}, .bytes = ones});
  }
  void layer(const Config& c, const std::string& blk) {
    norm(blk + "attn_norm", c.model_dim);
    norm(blk + "ffn_norm", c.model_dim);
    if (c.qk_norm) norm(blk + "attn_q_norm", c.head_dim);
    if (c.qk_norm) norm(blk + "attn_k_norm", c.head_dim);
    if (c.fused_projections) {
      matrix(blk + "attn_qkv", c.q_dim() + 2 * c.kv_dim(), c.model_dim);
      matrix(blk + "ffn_up", 2 * c.ffn_dim, c.model_dim);
    } else {
      matrix(blk + "attn_q", c.q_dim(), c.model_dim);
      matrix(blk + "attn_k", c.kv_dim(), c.model_dim);
      matrix(blk + "attn_v", c.kv_dim(), c.model_dim);
      matrix(blk + "ffn_gate", c.ffn_dim, c.model_dim);
      matrix(blk + "ffn_up", c.ffn_dim, c.model_dim);
    }
    matrix(blk + "attn_output", c.model_dim, c.q_dim());
    matrix(blk + "ffn_down", c.model_dim, c.ffn_dim);
  }

  std::vector<float> ones_;  // of every norm; outlives the heads
  std::vector<TensorInfo> heads_;
};

// ---------------------------------------------------------------------------------------------
// Weights

/// SplitMix64: the i-th of a sequence, without the ones before it.
uint64_t random_bits(uint64_t seed, uint64_t i) {
  uint64_t z = seed + (i + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

void put_f16(std::byte* to, float value) {
  const uint16_t half = f32_to_f16(value);
  std::memcpy(to, &half, sizeof half);
}

/// The scales of one block whose codes are random bits, for weights of this deviation. Uniform
/// codes of n values deviate by n / sqrt(12).
void put_scales(DType dtype, float deviation, std::byte* block) {
  const auto step = [&](float n_codes) { return deviation * std::sqrt(12.0f) / n_codes; };
  constexpr float kScale = 32;  // of 6 bits in q4_k, and of 8 in q6_k
  switch (dtype) {
    case DType::q8_0: put_f16(block, step(256)); break;
    case DType::q4_0: put_f16(block, step(16)); break;
    case DType::q4_k: {
      // Eight scales and minima of 32: the lower four bits are 0, the upper two are 2.
      put_f16(block, step(16) / kScale);
      put_f16(block + 2, 7.5f * step(16) / kScale);
      std::memset(block + 4, 0xa0, 8);
      std::memset(block + 12, 0, 4);
      break;
    }
    case DType::q6_k:
      std::memset(block + 192, static_cast<int>(kScale), 16);
      put_f16(block + 208, step(64) / kScale);
      break;
    default: break;
  }
}

/// Every f16 pattern's 16 random bits become a value between -limit and limit.
std::vector<uint16_t> f16_table(float limit) {
  std::vector<uint16_t> table(65536);
  for (size_t i = 0; i < table.size(); ++i) {
    table[i] = f32_to_f16(limit * (static_cast<float>(i) - 32767.5f) / 32768.0f);
  }
  return table;
}

void fill(std::span<std::byte> bytes, uint64_t seed, uint64_t first_word) {
  for (size_t i = 0; i < bytes.size(); i += 8) {
    const uint64_t bits = random_bits(seed, first_word + i / 8);
    std::memcpy(bytes.data() + i, &bits, std::min<size_t>(8, bytes.size() - i));
  }
}

Encoded random_tensor(const OutTensor& tensor, uint64_t seed) {
  Encoded out;
  if (tensor.rows.empty()) {
    const auto bytes = std::as_bytes(std::span(tensor.values));
    out.bytes.assign(bytes.begin(), bytes.end());
    return out;
  }
  out.bytes.resize(tensor.bytes());
  const float deviation = 1.0f / std::sqrt(static_cast<float>(tensor.in_dim()));
  const uint32_t block_bytes = block_size(tensor.dtype).bytes;
  const std::vector<uint16_t> halves =
      tensor.dtype == DType::f16 ? f16_table(deviation * std::sqrt(3.0f)) : std::vector<uint16_t>();
  const size_t chunk = kChunkBytes / (8 * block_bytes) * (8 * block_bytes);
  parallel_for((out.bytes.size() + chunk - 1) / chunk, [&](size_t c) {
    const size_t begin = c * chunk, n = std::min(chunk, out.bytes.size() - begin);
    const auto bytes = std::span(out.bytes).subspan(begin, n);
    fill(bytes, seed, begin / 8);
    if (halves.empty()) {
      for (size_t i = 0; i < n; i += block_bytes) {
        put_scales(tensor.dtype, deviation, bytes.data() + i);
      }
      return;
    }
    for (size_t i = 0; i < n; i += 2) {
      uint16_t bits;
      std::memcpy(&bits, bytes.data() + i, sizeof bits);
      std::memcpy(bytes.data() + i, &halves[bits], sizeof bits);
    }
  });
  return out;
}

// ---------------------------------------------------------------------------------------------
// Vocabulary

/// SentencePiece-like: specials, bytes, printable characters, and words that no text has.
PlainVocabulary made_up_vocabulary(const Config& config) {
  PlainVocabulary v{.model = "llama"};
  const auto add = [&](std::string piece, PieceKind kind) {
    v.pieces.push_back(std::move(piece));
    v.kinds.push_back(kind);
    v.scores.push_back(-static_cast<float>(v.scores.size()));
  };
  add("<unk>", PieceKind::unknown);
  add("<s>", PieceKind::control);
  add("</s>", PieceKind::control);
  for (int byte = 0; byte < 256; ++byte) add(fmt::format("<0x{:02X}>", byte), PieceKind::byte);
  add("\u2581", PieceKind::normal);
  for (char c = '!'; c <= '~'; ++c) add(std::string(1, c), PieceKind::normal);
  while (v.pieces.size() < config.vocab_size) {
    add(fmt::format("\u2581w{}", v.pieces.size()), PieceKind::normal);
  }
  const auto mark = [&](uint32_t id) {
    if (v.kinds[id] == PieceKind::control) return;
    v.pieces[id] = fmt::format("<|special_{}|>", id);
    v.kinds[id] = PieceKind::control;
  };
  for (const uint32_t id : config.eos_ids) mark(id);
  if (config.bos_id) mark(*config.bos_id);
  v.unk_id = 0;
  v.add_bos = config.bos_id.has_value();
  v.add_eos = false;
  v.chat_template = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}";
  return v;
}

/// That of a folder, filled up with pieces that no text has.
Result<PlainVocabulary> vocabulary_from(const std::string& folder, Config& config) {
  TRY(const formats::TokenizerFiles files, formats::open_tokenizer(folder));
  TRY(convert::ModelVocabulary made, convert::vocabulary_of(files, config.vocab_size));
  PlainVocabulary& v = made.vocabulary;
  v.kinds.resize(v.pieces.size(), PieceKind::normal);
  while (v.pieces.size() < config.vocab_size) {
    v.pieces.push_back(fmt::format("[unused{}]", v.pieces.size()));
    v.kinds.push_back(PieceKind::unused);
    if (!v.scores.empty()) v.scores.push_back(0);
  }
  config.bos_id = v.bos_id;
  config.eos_ids.clear();
  if (v.eos_id) config.eos_ids = {*v.eos_id};
  return std::move(v);
}

// ---------------------------------------------------------------------------------------------

struct Options {
  std::string out, shape, type = "q4_0", vocab_from;
};

Result<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    std::string* target = word == "--shape"        ? &options.shape
                          : word == "--type"       ? &options.type
                          : word == "--vocab-from" ? &options.vocab_from
                                                   : nullptr;
    if (target != nullptr && i + 1 < argc) {
      *target = argv[++i];
    } else if (target == nullptr && !word.starts_with("-") && options.out.empty()) {
      options.out = word;
    } else {
      return fail(ErrorCode::invalid_argument,
                  "'{}' is unexpected; usage: random_model OUT.gguf --shape NAME --type TYPE "
                  "[--vocab-from FOLDER]",
                  word);
    }
  }
  if (!options.out.empty()) return options;
  return fail(ErrorCode::invalid_argument,
              "no OUT is given; usage: random_model OUT.gguf --shape NAME --type TYPE "
              "[--vocab-from FOLDER]");
}

Result<uint64_t> run(const Options& options) {
  TRY(Config config, find_shape(options.shape));
  TRY(const convert::Recipe recipe, convert::find_recipe(options.type));
  if (recipe == convert::Recipe::int8_block) {
    return fail(ErrorCode::invalid_argument, "--type is int8-block, expected a type of GGUF");
  }
  PlainVocabulary vocabulary;
  if (options.vocab_from.empty()) {
    vocabulary = made_up_vocabulary(config);
  } else {
    TRY(vocabulary, vocabulary_from(options.vocab_from, config));
  }
  Heads heads(config);
  TRY(formats::Checkpoint checkpoint, formats::Checkpoint::from("random", {}, heads.take()));
  const formats::ModelFiles files{.naming = formats::Naming::gguf,
                                  .path = "random-" + options.shape,
                                  .config = config,
                                  .generation = {},
                                  .checkpoint = std::move(checkpoint),
                                  .tokenizer = {}};
  TRY(const convert::TensorPlan plan,
      convert::plan_tensors(formats::WeightSource(files.config, files.checkpoint, files.naming),
                            {.recipe = recipe}));
  const auto random = [&](size_t i) -> Result<Encoded> {
    return random_tensor(plan.tensors[i], random_bits(i, 0));
  };
  CHECK_OK(convert::write_gguf_file(options.out, files, vocabulary, recipe, plan.tensors, random));
  uint64_t bytes = 0;
  for (const OutTensor& t : plan.tensors) bytes += t.bytes();
  return bytes;
}

}  // namespace
}  // namespace handloom

int main(int argc, char** argv) {
  using namespace handloom;
  const auto started = std::chrono::steady_clock::now();
  const Result<Options> options = parse(argc, argv);
  const Result<uint64_t> bytes =
      options ? run(*options) : Result<uint64_t>(std::unexpected(options.error()));
  if (!bytes) {
    fmt::print(stderr, "random_model: {}\n", bytes.error().message);
    return options ? 1 : 2;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;
  fmt::print("{}: {:.2f} GB in {:.1f} s\n", options->out, static_cast<double>(*bytes) / 1e9,
             seconds.count());
  return 0;
}
