// MLC's conv_template: how a chat is written out as a prompt, as a list of fields. The rest of
// handloom knows Jinja templates only, so it is turned into one.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace handloom {
class JsonObject;
}

namespace handloom::formats {

/// A chat is the system text, then of each message its role, role_content_sep, its content and a
/// separator; the answer begins after the assistant's role and role_empty_sep.
struct Conversation {
  std::string name;                                  // "phi-3"
  std::string system_template = "{system_message}";  // "<|system|>\n{system_message}"
  std::string system_message;                        // where the chat has none of its own
  std::vector<uint32_t> system_prefix_ids;           // token ids before everything: BOS
  bool role_after_system = true;             // false: the first message follows without its role
  std::map<std::string, std::string> roles;  // "user" is written "<|user|>"
  std::map<std::string, std::string> role_templates;  // "user": "{user_message}"
  std::vector<std::string> seps;  // one, or one after users and one after the assistant
  std::string role_content_sep, role_empty_sep;
  std::vector<std::string> stop_strings;
  std::vector<uint32_t> stop_ids;  // often of another tokenizer: check that they are special tokens
};

/// `object` is the conv_template of an mlc-chat-config.json. Error: bad_format.
Result<Conversation> parse_conversation(const JsonObject& object);

/// Jinja source that writes chats as MLC does, for the variables messages, add_generation_prompt
/// and bos_token. The last system message counts. A single id in system_prefix_ids is taken for
/// BOS; more have no Jinja, and are left out. Function calls are left out, too.
std::string to_jinja(const Conversation& conversation);

}  // namespace handloom::formats
