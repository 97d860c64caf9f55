#include "progress.h"

#include "print.h"
#include "terminal.h"

#include <fmt/format.h>

#include <algorithm>

namespace cli {
namespace {

constexpr auto kPatience = std::chrono::milliseconds(500);
constexpr auto kRedraw = std::chrono::milliseconds(50);
constexpr size_t kBarWidth = 24;

}  // namespace

std::string progress_line(const handloom::LoadProgress& progress, int width) {
  double share = 0.0;
  if (progress.total_bytes > 0) {
    share = std::min(
        1.0, static_cast<double>(progress.done_bytes) / static_cast<double>(progress.total_bytes));
  }
  const auto filled = static_cast<size_t>(share * kBarWidth);
  std::string line = fmt::format("{} [{}{}] {:3.0f} %", progress.stage, std::string(filled, '#'),
                                 std::string(kBarWidth - filled, '.'), share * 100.0);
  if (progress.total_bytes > 0) {
    line += fmt::format("  {} of {}", bytes_text(progress.done_bytes),
                        bytes_text(progress.total_bytes));
  }
  if (width > 0 && line.size() > static_cast<size_t>(width))
    line.resize(static_cast<size_t>(width));
  return line;
}

ProgressBar::ProgressBar(bool to_terminal)
    : to_terminal_(to_terminal), next_(Clock::now() + kPatience) {}

ProgressBar::~ProgressBar() {
  if (shown_) write_stderr("\r\x1b[K");
}

void ProgressBar::update(const handloom::LoadProgress& progress) {
  if (!to_terminal_ || Clock::now() < next_) return;
  // One column is left free: a full line would wrap on some terminals and stay.
  write_stderr("\r" + progress_line(progress, terminal_width() - 1) + "\x1b[K");
  shown_ = true;
  next_ = Clock::now() + kRedraw;
}

}  // namespace cli
