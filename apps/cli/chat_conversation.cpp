#include "chat_conversation.h"

#include "failure.h"
#include "print.h"
#include "prompt.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include <unistd.h>

namespace cli {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr uint64_t kMaxSavedBytes = uint64_t{64} << 20;  // of a file that /load reads

Json message(std::string_view role, const std::string& content) {
  return {{"role", role}, {"content", content}};
}

/// The fewest dropped exchanges, `first` at least, with which the prompt is at most `max_len` long;
/// all of them if none is few enough. More dropped is never longer, so halving finds it.
size_t fewest_dropped(size_t first, size_t n_exchanges, size_t max_len,
                      const std::function<size_t(size_t)>& length) {
  size_t low = first, high = n_exchanges;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (length(middle) <= max_len) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

[[noreturn]] void refuse_turn(size_t n_tokens, bool first_message, uint32_t context,
                              uint32_t room) {
  throw Failure(fmt::format(
      "chat: {} {} long and the context holds {}, expected room for an answer of {}; the message "
      "is not kept: shorten it, {} or raise --context",
      first_message ? "this message alone is" : "the conversation with this message would be",
      count_text(n_tokens, "token"), context, room,
      first_message ? "shorten the system prompt"
                    : "use /undo, /reset or "
                      "/params overflow drop,"));
}

// Reading a saved chat

class SavedReader {
 public:
  explicit SavedReader(const std::string& where) : where_(where) {}

  SavedChat read(const Json& json, const ChatParameters& now) const {
    expect(json.is_object(), "is no object", "what /save writes");
    expect(json.contains("messages") && json["messages"].is_array(), "has no array 'messages'",
           "what /save writes");
    SavedChat chat{.parameters = now};
    if (json.contains("system")) chat.conversation.system = text(json, "system", "the file");
    read_messages(json["messages"], chat.conversation);
    if (json.contains("parameters")) read_parameters(json["parameters"], chat.parameters);
    return chat;
  }

 private:
  void expect(bool holds, std::string_view found, std::string_view expected) const {
    if (!holds) throw Failure(fmt::format("{}: {}, expected {}", where_, found, expected));
  }

  std::string text(const Json& object, const char* key, const std::string& owner) const {
    expect(object.contains(key) && object[key].is_string(),
           fmt::format("{} has no text '{}'", owner, key), "one");
    return object[key].get<std::string>();
  }

  void read_messages(const Json& messages, Conversation& conversation) const {
    for (size_t i = 0; i < messages.size(); ++i) {
      const std::string owner = fmt::format("message {}", i);
      expect(messages[i].is_object(), owner + " is no object", "one with role and content");
      const std::string role = text(messages[i], "role", owner);
      const std::string content = text(messages[i], "content", owner);
      const bool is_user = i % 2 == 0;
      expect(role == (is_user ? "user" : "assistant"),
             fmt::format("{} has the role '{}'", owner, one_line(role)),
             is_user ? "'user', in turns with 'assistant'" : "'assistant', in turns with 'user'");
      if (is_user) {
        conversation.exchanges.push_back({.user = content});
      } else {
        conversation.exchanges.back().answer = content;
        conversation.exchanges.back().interrupted =
            messages[i].value("interrupted", Json()) == Json(true);
      }
    }
    expect(messages.size() % 2 == 0, "the last message is the user's", "an answer to it");
  }

  void read_parameters(const Json& parameters, ChatParameters& target) const {
    expect(parameters.is_object(), "'parameters' is no object", "one");
    for (const auto& [name, value] : parameters.items()) {
      expect(value.is_number() || value.is_string(),
             fmt::format("parameter '{}' is of type {}", one_line(name), value.type_name()),
             "a number or text");
      try {
        set_parameter(target, name, value.is_string() ? value.get<std::string>() : value.dump());
      } catch (const Failure& failure) {
        throw Failure(fmt::format("{}: {}", where_, failure.what()));
      }
    }
  }

  const std::string& where_;
};

/// A number if the text is one, so that the file reads as JSON files do.
Json parameter_json(const std::string& text) {
  Json value = Json::parse(text, nullptr, false);
  return value.is_number() ? value : Json(text);
}

// Writing whole or not at all

[[noreturn]] void refuse_path(const std::string& path, std::string_view found) {
  throw Failure(fmt::format("{}: {}, expected a file that can be written", one_line(path), found));
}

/// Where a rename must land: behind a link if `path` is one. Refuses what is no plain file.
std::string real_target(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return path;
  if (fs::is_directory(status)) refuse_path(path, "is a folder");
  if (!fs::is_regular_file(status)) refuse_path(path, "is not a plain file");
  const fs::path target = fs::canonical(path, error);
  return error ? path : target.string();
}

/// Empty, or what the system says.
std::string write_error(const std::string& path, const std::string& text) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wb"),
                                                             std::fclose);
  if (!file) return std::strerror(errno);
  const bool written = std::fwrite(text.data(), 1, text.size(), file.get()) == text.size() &&
                       std::fflush(file.get()) == 0 && ::fsync(::fileno(file.get())) == 0;
  return written ? "" : std::strerror(errno);
}

}  // namespace

Exchange Conversation::take_last() {
  Exchange last = std::move(exchanges.back());
  exchanges.pop_back();
  n_dropped = std::min(n_dropped, exchanges.size());
  return last;
}

Json chat_messages(const Conversation& conversation, std::string_view question) {
  Json messages = Json::array();
  if (!conversation.system.empty()) messages.push_back(message("system", conversation.system));
  for (size_t i = conversation.n_dropped; i < conversation.exchanges.size(); ++i) {
    messages.push_back(message("user", conversation.exchanges[i].user));
    messages.push_back(message("assistant", conversation.exchanges[i].answer));
  }
  messages.push_back(message("user", std::string(question)));
  return messages;
}

uint32_t answer_room(uint32_t context, uint32_t max_tokens) {
  const uint32_t quarter = std::max(1u, context / 4);
  return max_tokens == 0 ? quarter : std::min(quarter, max_tokens);
}

TurnPlan plan_turn(const Conversation& conversation, std::string_view question,
                   const ChatParameters& parameters, uint32_t context,
                   const EncodeMessages& encode) {
  Conversation shown = conversation;
  const auto ids_without = [&](size_t n_dropped) {
    shown.n_dropped = n_dropped;
    return encode(chat_messages(shown, question));
  };
  const size_t n_exchanges = conversation.exchanges.size();
  const uint32_t room = answer_room(context, parameters.max_tokens);
  TurnPlan plan = {.ids = ids_without(conversation.n_dropped), .n_dropped = conversation.n_dropped};
  if (plan.ids.size() + room <= context) return plan;
  if (parameters.overflow == Overflow::refuse) {
    refuse_turn(plan.ids.size(), plan.n_dropped == n_exchanges, context, room);
  }
  plan.n_dropped = fewest_dropped(plan.n_dropped, n_exchanges, context - room,
                                  [&](size_t n_dropped) { return ids_without(n_dropped).size(); });
  plan.ids = ids_without(plan.n_dropped);
  if (plan.ids.size() >= context) refuse_turn(plan.ids.size(), true, context, 1);
  return plan;
}

size_t common_prefix(std::span<const uint32_t> a, std::span<const uint32_t> b) {
  return static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

std::string saved_text(const SavedChat& chat) {
  Json messages = Json::array(), parameters = Json::object();
  for (const Exchange& exchange : chat.conversation.exchanges) {
    messages.push_back(message("user", exchange.user));
    messages.push_back(message("assistant", exchange.answer));
    if (exchange.interrupted) messages.back()["interrupted"] = true;
  }
  for (const auto& [name, text] : parameter_texts(chat.parameters)) {
    parameters[name] = parameter_json(text);
  }
  const Json json = {{"system", chat.conversation.system},
                     {"messages", std::move(messages)},
                     {"parameters", std::move(parameters)}};
  // `replace`: a byte-level vocabulary can spell text that is not UTF-8; JSON cannot hold it.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

SavedChat parse_saved(std::string_view text, const std::string& where, const ChatParameters& now) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) {
    throw Failure(fmt::format("{}: is not valid JSON, expected what /save writes", where));
  }
  return SavedReader(where).read(json, now);
}

void save_chat(const std::string& path, const SavedChat& chat) {
  const std::string target = real_target(path);
  const std::string partial = fmt::format("{}.{}.partial", target, ::getpid());
  std::string error = write_error(partial, saved_text(chat));
  std::error_code renamed;
  if (error.empty()) fs::rename(partial, target, renamed);
  if (renamed) error = renamed.message();
  if (error.empty()) return;
  std::error_code ignored;
  fs::remove(partial, ignored);
  refuse_path(path, fmt::format("could not be written ({})", error));
}

SavedChat load_chat(const std::string& path, const ChatParameters& now) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::exists(status) && !fs::is_directory(status)) {
    const uint64_t n_bytes = fs::is_regular_file(status) ? fs::file_size(path, error) : UINT64_MAX;
    if (error || n_bytes > kMaxSavedBytes) {
      throw Failure(
          fmt::format("{}: is no plain file of at most {} bytes, expected what /save "
                      "writes",
                      one_line(path), kMaxSavedBytes));
    }
  }
  return parse_saved(read_all(path), one_line(path), now);
}

}  // namespace cli
