// rooms: base formats
// libs:
//
// Gguf::parse on arbitrary bytes: an error of one short line, or values that can all be read and
// tensors that lie inside the bytes; then the config and the vocabulary made of them.
//
//   clang++-19 -std=c++23 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
//     -DFMT_HEADER_ONLY -Iinclude -Isrc tests/fuzz/fuzz_gguf.cpp src/base/*.cpp
//     src/formats/*.cpp -o build/fuzz/fuzz_gguf
//   build/fuzz/fuzz_gguf NEW_UNITS tests/fuzz/corpus/gguf
//
// or tests/fuzz/run, which does this for every fuzz_*.cpp.
#include "support.h"

#include "formats/gguf_config.h"
#include "formats/gguf_vocabulary.h"

#include <cmath>

namespace {

using fuzz::parsed;
using fuzz::require;
using namespace handloom;

void check_metadata(const formats::GgufMetadata& metadata) {
  const std::string_view* previous = nullptr;
  for (const auto& [key, value] : metadata.entries()) {
    require(previous == nullptr || *previous < key);
    require(metadata.find(key) == &value);
    require(formats::describe(value).size() < 400);
    parsed(metadata.find_u32(key));
    parsed(metadata.find_number(key));
    parsed(metadata.find_bool(key));
    parsed(metadata.find_string(key));
    if (const auto all = metadata.find_u32s(key); parsed(all)) require(all->size() == value.count);
    if (const auto all = metadata.find_floats(key); parsed(all))
      require(all->size() == value.count);
    if (const auto all = metadata.find_bools(key); parsed(all)) require(all->size() == value.count);
    if (const auto all = metadata.find_strings(key); parsed(all)) {
      require(all->size() == value.count);
    }
    previous = &key;
  }
}

void check_tensor(const formats::TensorInfo& tensor, std::span<const std::byte> file) {
  require(tensor.bytes.data() >= file.data());
  require(tensor.bytes.data() + tensor.bytes.size() <= file.data() + file.size());
  const auto [values, bytes] = block_size(tensor.dtype);
  require(tensor.bytes.size() == tensor.shape.count() / values * bytes);
}

void check_config(const formats::Config& config) {
  require(config.q_per_kv() * config.n_kv_heads == config.n_heads);
  require(config.head_dim % 2 == 0 && config.rope.dim == config.head_dim);
  require(config.windows.empty() || config.windows.size() == config.n_layers);
  require(config.attention_scale > 0 && config.norm_eps > 0);
  require(config.weight_count() >= uint64_t{config.vocab_size} * config.model_dim);
  for (const uint32_t id : config.eos_ids) require(id < config.vocab_size);
  for (uint32_t il = 0; il < config.n_layers; ++il) {
    const std::vector<float> freqs = config.layer_rope(il).inv_freq();
    require(freqs.size() == config.head_dim / 2);
    for (const float freq : freqs) require(std::isfinite(freq) && freq >= 0);
  }
  parsed(formats::fields_from_config(config));
  for (const formats::RopeTensor& rope : formats::rope_tensors(config)) {
    require(rope.values.size() == config.rope.dim / 2);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  const auto gguf = formats::Gguf::parse(file, "fuzz");
  if (!parsed(gguf)) return 0;
  check_metadata(gguf->metadata());
  for (const formats::TensorInfo& tensor : gguf->checkpoint().tensors()) check_tensor(tensor, file);
  if (const auto config = formats::config_from_gguf(*gguf); parsed(config)) check_config(*config);
  if (const auto vocabulary = formats::vocabulary_from_gguf(*gguf); parsed(vocabulary)) {
    require(vocabulary->eos_id.value_or(0) < vocabulary->pieces.size());
    formats::GgufFields fields;
    formats::add_vocabulary(*vocabulary, fields);
    require(fields.contains("tokenizer.ggml.tokens"));
  }
  return 0;
}
