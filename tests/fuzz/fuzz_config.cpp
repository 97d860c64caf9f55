// rooms: base formats
// libs:
//
// config.json, generation_config.json and tokenizer_config.json from arbitrary bytes: each parser
// sees every input, and answers with an error of one short line or with values within their ranges.
//
//   clang++-19 -std=c++23 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
//     -DFMT_HEADER_ONLY -Iinclude -Isrc tests/fuzz/fuzz_config.cpp src/base/*.cpp
//     src/formats/*.cpp -o build/fuzz/fuzz_config
//   build/fuzz/fuzz_config NEW_UNITS tests/fuzz/corpus/config
//
// or tests/fuzz/run, which does this for every fuzz_*.cpp.
#include "support.h"

#include "formats/config.h"
#include "formats/generation_config.h"
#include "formats/tokenizer_config.h"

#include <cmath>

namespace {

using fuzz::parsed;
using fuzz::require;
using namespace handloom;

void check_config(std::string_view json) {
  const auto config = formats::parse_config(json, "fuzz");
  if (!parsed(config)) return;
  require(config->q_per_kv() * config->n_kv_heads == config->n_heads);
  require(config->head_dim % 2 == 0 && config->rope.dim == config->head_dim);
  require(config->weight_count() >= uint64_t{config->vocab_size} * config->model_dim);
  require(config->kv_bytes_per_token(DType::f16) > 0 && config->norm_eps > 0);
  for (const uint32_t id : config->eos_ids) require(id < config->vocab_size);
  const std::vector<float> freqs = config->rope.inv_freq();
  require(freqs.size() == config->head_dim / 2);
  for (const float freq : freqs) require(std::isfinite(freq) && freq > 0 && freq <= 1);
}

void check_generation_config(std::string_view json) {
  const auto config = formats::parse_generation_config(json, "fuzz");
  if (!parsed(config)) return;
  if (config->temperature)
    require(std::isfinite(*config->temperature) && *config->temperature >= 0);
  if (config->top_p) require(*config->top_p > 0 && *config->top_p <= 1);
  if (config->min_p) require(*config->min_p >= 0 && *config->min_p < 1);
  if (config->repeat_penalty) require(*config->repeat_penalty > 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  check_config(json);
  check_generation_config(json);
  const auto tokenizer = formats::parse_tokenizer_config(json, "fuzz");
  if (parsed(tokenizer)) require(!tokenizer->other_templates.contains("default"));
  return 0;
}
