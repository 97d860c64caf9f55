// What sets the model families apart in config.json: one parser a family, on top of what all share.
#pragma once

#include "base/json.h"
#include "formats/config.h"

#include <string_view>

namespace handloom::formats {

struct Family {
  std::string_view model_type;  // "llama"
  std::string_view class_name;  // "LlamaForCausalLM": other classes end in another head
  /// Refuses what handloom does not compute, by name, and fills in what the family has of its own.
  Result<void> (*parse)(const JsonObject& object, Config& config);
};

/// The family that `model_type` and `architectures` name. Error: unsupported, with the known ones.
Result<const Family*> find_family(const JsonObject& object);

}  // namespace handloom::formats
