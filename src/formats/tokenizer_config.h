// The texts beside a tokenizer: its chat template and the spelling of its special tokens, from
// tokenizer_config.json and chat_template.jinja. Both files are optional.
#pragma once

#include "base/result.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace handloom::formats {

struct TokenizerConfig {
  std::string chat_template;                           // Jinja source; empty: the model has none
  std::map<std::string, std::string> other_templates;  // by name: "tool_use", "rag"
  std::optional<std::string> bos_token;                // "<|begin_of_text|>"
  std::optional<std::string> eos_token;                // "<|eot_id|>"
  std::optional<std::string> unk_token;                // "<unk>"
  std::optional<std::string> pad_token;                // "<pad>"
};

/// A tokenizer_config.json. `where` begins every error message. Error: bad_format.
Result<TokenizerConfig> parse_tokenizer_config(std::string_view json, std::string where);

/// Reads `folder`/tokenizer_config.json and `folder`/chat_template.jinja, whose text wins over the
/// template in the former. What is not there stays empty.
Result<TokenizerConfig> load_tokenizer_config(const std::string& folder);

}  // namespace handloom::formats
