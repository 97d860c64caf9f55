#include "chat_input.h"

#include "failure.h"
#include "print.h"

#include <algorithm>
#include <iostream>
#include <utility>
#include <vector>

namespace cli {
namespace {

constexpr std::string_view kPrompt = "> ", kMorePrompt = ". ";
constexpr std::string_view kFence = "\"\"\"";
constexpr std::string_view kSpace = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

/// The rest of a block whose first line, without its fence, is `text`.
Input read_block(LineSource& lines, std::string text) {
  std::vector<std::string> block;
  for (bool is_first = true;; is_first = false) {
    const bool is_last = trimmed(text).ends_with(kFence);
    if (is_last) text.resize(text.rfind(kFence));
    // A fence may stand on a line of its own, which then is no part of the text.
    const bool is_bare_fence = (is_first || is_last) && trimmed(text).empty();
    if (!is_bare_fence) block.push_back(std::move(text));
    if (is_last) return {.text = join(block, "\n"), .is_block = true};
    Line next = lines.read(std::string(kMorePrompt));
    if (next.end == Line::End::end_of_input) {
      throw Failure(
          "input: the block begun with \"\"\" has no end, expected a line that ends with \"\"\"; "
          "it is not sent");
    }
    if (next.end == Line::End::interrupted) return {.end = next.end};
    text = std::move(next.text);
  }
}

/// The lines that follow one ending in "\".
Input read_continued(LineSource& lines, std::string text) {
  Input input;
  while (text.ends_with('\\')) {
    text.pop_back();
    input.text += text + "\n";
    Line next = lines.read(std::string(kMorePrompt));
    if (next.end == Line::End::interrupted) return {.end = next.end};
    text = std::move(next.text);  // empty at the end of input: what there is counts
  }
  input.text += text;
  return input;
}

}  // namespace

Line PlainLines::read(const std::string&) {
  Line line;
  if (!std::getline(std::cin, line.text)) return {.end = Line::End::end_of_input};
  if (line.text.ends_with('\r')) line.text.pop_back();
  return line;
}

Input read_input(LineSource& lines) {
  Line first = lines.read(std::string(kPrompt));
  if (first.end != Line::End::newline) return {.end = first.end};
  const bool is_block = first.text.starts_with(kFence);
  Input input = is_block ? read_block(lines, first.text.substr(kFence.size()))
                         : read_continued(lines, std::move(first.text));
  if (input.end != Line::End::newline || trimmed(input.text).empty()) return input;
  const std::string fence = is_block ? std::string(kFence) : "";
  lines.remember(fence + input.text + fence);
  return input;
}

bool is_command(std::string_view text) { return text.starts_with('/'); }

SlashCommand parse_slash_command(std::string_view text) {
  text.remove_prefix(1);
  const size_t name_len = std::min(text.find_first_of(kSpace), text.size());
  return {.name = std::string(text.substr(0, name_len)),
          .argument = std::string(trimmed(text.substr(name_len)))};
}

}  // namespace cli
