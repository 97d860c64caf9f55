// What a person says in a chat: lines, put together to messages and commands.
#pragma once

#include <string>
#include <string_view>

namespace cli {

/// A line, or why there is none.
struct Line {
  enum class End { newline, interrupted, end_of_input };
  std::string text;
  End end = End::newline;
};

class LineSource {
 public:
  virtual ~LineSource() = default;
  /// `prompt` is shown where there is a person to see it.
  virtual Line read(const std::string& prompt) = 0;
  /// For the history.
  virtual void remember(const std::string& /*input*/) {}
};

/// Lines of stdin as they are: a pipe or a file.
class PlainLines : public LineSource {
 public:
  Line read(const std::string& prompt) override;
};

/// One input: a line, several that end in "\" but for the last, or a block between """ and """.
struct Input {
  std::string text;
  bool is_block = false;  // then it is no command, whatever it begins with
  Line::End end = Line::End::newline;
};

/// Reads one input and remembers it. Throws Failure if the end comes within a block.
Input read_input(LineSource& lines);

/// "/system You are terse." as name "system" and argument "You are terse."
struct SlashCommand {
  std::string name, argument;
};

/// True if `text` begins with "/".
bool is_command(std::string_view text);
SlashCommand parse_slash_command(std::string_view text);

}  // namespace cli
