// A conversation as data: what was said, what the template is given of it, and its file.
#pragma once

#include "chat_parameters.h"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

struct Exchange {
  std::string user, answer;
  bool interrupted = false;  // Ctrl-C ended the answer
};

struct Conversation {
  std::string system;  // empty: none
  std::vector<Exchange> exchanges;
  size_t n_dropped = 0;  // the oldest ones, which the model is no longer shown

  /// Takes the last exchange away. It must be there.
  Exchange take_last();
};

/// The messages for the template: system, the exchanges not dropped, and `question` as the last.
nlohmann::ordered_json chat_messages(const Conversation& conversation, std::string_view question);

/// One turn's prompt, and how many exchanges had to be dropped for it.
struct TurnPlan {
  std::vector<uint32_t> ids;
  size_t n_dropped = 0;
};

/// Token ids of messages, through the template.
using EncodeMessages = std::function<std::vector<uint32_t>(const nlohmann::ordered_json&)>;

/// Tokens kept free for an answer: max_tokens, but a quarter of the context at most, and that much
/// if max_tokens is 0.
uint32_t answer_room(uint32_t context, uint32_t max_tokens);

/// The prompt for `question`. Where it and answer_room() exceed the context, Overflow::drop leaves
/// out as few of the oldest exchanges as will do, and at last takes less room for the answer.
/// Throws Failure with both numbers: if nothing helps, or for Overflow::refuse at once.
TurnPlan plan_turn(const Conversation& conversation, std::string_view question,
                   const ChatParameters& parameters, uint32_t context,
                   const EncodeMessages& encode);

/// The number of ids that `a` and `b` begin with alike.
size_t common_prefix(std::span<const uint32_t> a, std::span<const uint32_t> b);

struct SavedChat {
  Conversation conversation;
  ChatParameters parameters;
};

/// The text of a /save file.
std::string saved_text(const SavedChat& chat);

/// Reads what saved_text() wrote; parameters it does not name are those of `now`. `where` begins
/// the error. Throws Failure.
SavedChat parse_saved(std::string_view text, const std::string& where, const ChatParameters& now);

/// Writes or reads such a file: whole or not at all. Throws Failure.
void save_chat(const std::string& path, const SavedChat& chat);
SavedChat load_chat(const std::string& path, const ChatParameters& now);

}  // namespace cli
