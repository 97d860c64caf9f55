// A bar on stderr for whatever takes longer than a person expects.
#pragma once

#include <handloom/handloom.h>

#include <chrono>
#include <string>

namespace cli {

/// "weights [#####.....]  52 %  1.20 of 2.31 GB" in at most `width` characters.
std::string progress_line(const handloom::LoadProgress& progress, int width);

/// Shows nothing in the first half second, nothing if stderr is no terminal, and is gone when done.
class ProgressBar {
 public:
  explicit ProgressBar(bool to_terminal);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void update(const handloom::LoadProgress& progress);

 private:
  using Clock = std::chrono::steady_clock;

  bool to_terminal_;
  bool shown_ = false;
  Clock::time_point next_;  // no drawing before this
};

}  // namespace cli
