// Chat messages to prompt text, by the model's own Jinja template.
#pragma once

#include <handloom/handloom.h>

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace cli {

/// Checks `[{"role": ..., "content": ...}, ...]` and returns it. `where` begins the error. A
/// content is a string, or an array of parts as some templates want it. Throws Failure.
nlohmann::ordered_json parse_messages(std::string_view text, std::string_view where);

/// One user turn.
nlohmann::ordered_json user_message(std::string_view text);

/// Parses the template only. Throws Failure as render_chat() does.
void check_chat_template(const handloom::ChatTemplate& chat_template);

/// The prompt text, with the special tokens that the template writes. `add_generation_prompt` ends
/// it where the assistant is to answer. Throws Failure in one sentence: what the template itself
/// raised, or what is wrong with it and in which row and column; a template that recurses, loops or
/// grows without end is stopped (its limits are in the .cpp and in template_limits.cpp).
std::string render_chat(const handloom::ChatTemplate& chat_template,
                        const nlohmann::ordered_json& messages, bool add_generation_prompt);

}  // namespace cli
