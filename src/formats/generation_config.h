// How a model's makers want it sampled: generation_config.json, an optional file.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::formats {

/// Only what the file states; the caller supplies the rest. Ranges are those of SamplingOptions.
struct GenerationConfig {
  std::vector<uint32_t> eos_ids;        // replace config.json's unless empty; {128001, 128009}
  std::optional<uint32_t> bos_id;       // replaces config.json's; 128000
  std::optional<bool> do_sample;        // false: greedy, whatever the temperature
  std::optional<float> temperature;     // logits are divided by it, >= 0; 0.6
  std::optional<uint32_t> top_k;        // 0: all
  std::optional<float> top_p;           // (0, 1]; 0.9
  std::optional<float> min_p;           // [0, 1)
  std::optional<float> repeat_penalty;  // `repetition_penalty` in the file, > 0
};

/// `where` begins every error message. Error: bad_format.
Result<GenerationConfig> parse_generation_config(std::string_view json, std::string where);

/// Reads `folder`/generation_config.json; nothing is stated if there is no such file.
Result<GenerationConfig> load_generation_config(const std::string& folder);

}  // namespace handloom::formats
