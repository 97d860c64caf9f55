#include "formats/generation_config.h"

#include "base/file.h"
#include "formats/fields.h"

#include <limits>

namespace handloom::formats {
namespace {

constexpr size_t kMaxConfigBytes = size_t{16} << 20;
constexpr double kMaxFloat = std::numeric_limits<float>::max();
constexpr Range kTemperature{.low = 0, .high = kMaxFloat};
constexpr Range kTopP{.low = 0, .high = 1, .low_open = true};
constexpr Range kMinP{.low = 0, .high = 1, .high_open = true};
constexpr Range kRepeatPenalty{.low = 0, .high = kMaxFloat, .low_open = true};

}  // namespace

Result<GenerationConfig> parse_generation_config(std::string_view json, std::string where) {
  TRY(const Json& root, parse_json(json, where));
  TRY(const JsonObject& object, JsonObject::from(root, std::move(where)));
  GenerationConfig config;
  TRY(config.eos_ids, find_ids(object, "eos_token_id"));
  TRY(config.bos_id, object.find_u32("bos_token_id"));
  TRY(config.do_sample, object.find_bool("do_sample"));
  TRY(config.temperature, find_float_in(object, "temperature", kTemperature));
  TRY(config.top_k, object.find_u32("top_k"));
  TRY(config.top_p, find_float_in(object, "top_p", kTopP));
  TRY(config.min_p, find_float_in(object, "min_p", kMinP));
  TRY(config.repeat_penalty, find_float_in(object, "repetition_penalty", kRepeatPenalty));
  return config;
}

Result<GenerationConfig> load_generation_config(const std::string& folder) {
  const std::string path = folder + "/generation_config.json";
  if (!file_exists(path)) return GenerationConfig();
  TRY(const std::string& text, read_text_file(path, kMaxConfigBytes));
  return parse_generation_config(text, path);
}

}  // namespace handloom::formats
