// Lines typed at a terminal: editing, history and pasting, by libedit.
#pragma once

#include "chat_input.h"

#include <memory>
#include <string>

namespace cli {

/// $XDG_STATE_HOME/handloom/history, else under ~/.local/state; empty if neither variable says.
std::string history_path();

class LineEditor : public LineSource {
 public:
  /// Edits on `to_stderr` ? stderr : stdout. Whatever is remembered goes to `history_file`; if that
  /// cannot be, warning() says why and lines are kept for this program's life alone.
  LineEditor(bool to_stderr, const std::string& history_file);
  ~LineEditor() override;

  /// One sentence, or empty.
  const std::string& warning() const;
  /// Ctrl-C gives up the line, Ctrl-D on an empty one ends the input.
  Line read(const std::string& prompt) override;
  void remember(const std::string& input) override;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace cli
