// The prompt: where it comes from, and its token ids.
#pragma once

#include "commands.h"

#include <handloom/handloom.h>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

/// A prompt that was read, before any model is loaded: exactly one of the three is filled.
struct Prompt {
  std::string text;
  std::string messages;  // JSON, checked
  std::vector<uint32_t> ids;
  bool raw = false;
};

/// Without one newline at its end, which editors and shells add.
std::string without_final_newline(std::string text);

/// Reads all of a file, or of stdin for "-". Throws Failure.
std::string read_all(const std::string& path);

/// Reads the prompt and refuses an empty one. Asks "Prompt: " if stdin is a terminal.
Prompt read_prompt(const PromptSource& source);

/// The token ids: through the model's chat template unless raw. Throws Failure.
std::vector<uint32_t> prompt_ids(const Prompt& prompt, const handloom::Tokenizer& tokenizer);

/// The token ids of messages that an assistant is to answer. Throws Failure.
std::vector<uint32_t> chat_ids(const nlohmann::ordered_json& messages,
                               const handloom::Tokenizer& tokenizer);

}  // namespace cli
