#include "prompt.h"

#include "chat_template.h"
#include "failure.h"
#include "terminal.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>

namespace cli {
namespace {

std::string read_stream(std::FILE* file, const std::string& where) {
  std::string text;
  char bytes[65536];
  while (const size_t n = std::fread(bytes, 1, sizeof bytes, file)) text.append(bytes, n);
  if (std::ferror(file)) {
    throw Failure(fmt::format("{}: could not be read ({}) after {} bytes", where,
                              std::strerror(errno), text.size()));
  }
  return text;
}

std::string ask_for_prompt() {
  write_stderr("Prompt: ");
  std::string line;
  std::getline(std::cin, line);
  if (std::cin.eof()) write_stderr("\n");  // the line was ended by Ctrl-D and not by Enter
  return line;
}

std::string read_text(const PromptSource& source) {
  if (!source.file.empty()) return without_final_newline(read_all(source.file));
  if (source.text && *source.text != "-") return *source.text;
  if (!source.text && stdin_is_terminal()) return ask_for_prompt();
  return without_final_newline(read_all("-"));
}

}  // namespace

std::string without_final_newline(std::string text) {
  if (!text.ends_with('\n')) return text;
  text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

std::string read_all(const std::string& path) {
  if (path == "-") return read_stream(stdin, "stdin");
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    throw Failure(fmt::format("{}: is a folder, expected a file", one_line(path)));
  }
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             std::fclose);
  if (!file) {
    throw Failure(fmt::format("{}: could not be opened ({}), expected a file to read",
                              one_line(path), std::strerror(errno)));
  }
  return read_stream(file.get(), one_line(path));
}

Prompt read_prompt(const PromptSource& source) {
  Prompt prompt;
  prompt.raw = source.raw;
  prompt.ids = source.ids;
  if (!prompt.ids.empty()) return prompt;
  if (!source.messages_file.empty()) {
    const std::string where = source.messages_file == "-" ? "stdin" : source.messages_file;
    prompt.messages = parse_messages(read_all(source.messages_file), one_line(where)).dump();
    return prompt;
  }
  prompt.text = read_text(source);
  if (prompt.text.empty()) {
    throw Failure(
        "prompt: is empty, expected some text; give it as an argument, with --file or on "
        "stdin");
  }
  return prompt;
}

std::vector<uint32_t> prompt_ids(const Prompt& prompt, const handloom::Tokenizer& tokenizer) {
  if (!prompt.ids.empty()) return prompt.ids;
  if (prompt.raw) return take(tokenizer.encode(prompt.text, true));
  if (tokenizer.chat_template().text.empty()) {
    throw Failure(
        "chat template: the model has none, expected one to make a chat of the prompt; use "
        "--raw to give it the text as it is");
  }
  return chat_ids(prompt.messages.empty() ? user_message(prompt.text)
                                          : nlohmann::ordered_json::parse(prompt.messages),
                  tokenizer);
}

std::vector<uint32_t> chat_ids(const nlohmann::ordered_json& messages,
                               const handloom::Tokenizer& tokenizer) {
  // The rendered text spells out BOS and the like, so none is added.
  return take(tokenizer.encode(render_chat(tokenizer.chat_template(), messages, true), false));
}

}  // namespace cli
