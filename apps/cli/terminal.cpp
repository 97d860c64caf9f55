#include "terminal.h"

#include "failure.h"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace cli {
namespace {

volatile std::sig_atomic_t interrupt_seen = 0;

void on_interrupt(int) {
  interrupt_seen = 1;
  std::signal(SIGINT, SIG_DFL);
}

}  // namespace

bool stdin_is_terminal() { return isatty(STDIN_FILENO) == 1; }
bool stdout_is_terminal() { return isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }

int terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

void write_stdout(std::string_view text) {
  // Not through stdio: a failed write must not be tried again from its buffer at exit.
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EPIPE) {
      throw Failure("stdout: closed by the reader");
    } else if (errno != EINTR) {
      throw Failure(
          fmt::format("stdout: {} bytes could not be written ({}), expected a place that "
                      "takes them",
                      text.size(), std::strerror(errno)));
    }
  }
}

void write_stderr(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

void ignore_closed_pipes() { std::signal(SIGPIPE, SIG_IGN); }
void catch_interrupt() {
  interrupt_seen = 0;
  std::signal(SIGINT, on_interrupt);
}

bool interrupted() { return interrupt_seen != 0; }
void leave_interrupt() { std::signal(SIGINT, SIG_DFL); }

std::string system_name() {
  utsname name{};
  if (uname(&name) != 0) return "unknown";
  return fmt::format("{} {} {}", name.sysname, name.release, name.machine);
}

std::string program_folder() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::string() : program.parent_path().string();
}

}  // namespace cli
