#include "apart.h"

#include "failure.h"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cli {
namespace {

// An answer's first byte.
constexpr char kDone = '+', kFailed = '-';

void set_limit(__rlimit_resource resource, rlim_t value) {
  const rlimit limit{value, value};
  setrlimit(resource, &limit);
}

/// Bytes of address space in use; 0 if the system does not tell.
size_t address_space() {
  unsigned long pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%lu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

void write_all(int to, const char* bytes, size_t n) {
  while (n > 0) {
    const ssize_t written = write(to, bytes, n);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes += written;
    n -= static_cast<size_t>(written);
  }
}

[[noreturn]] void work_and_exit(const ApartLimits& limits, size_t memory_now, int to,
                                const std::function<std::string()>& work) {
  std::signal(SIGINT, SIG_IGN);  // Ctrl-C is the parent's business
  std::signal(SIGPIPE, SIG_DFL);
  set_limit(RLIMIT_CORE, 0);
  set_limit(RLIMIT_CPU, limits.seconds);
  // The sanitizers' shadow is larger than any limit.
#if !defined(__SANITIZE_ADDRESS__) && !defined(HANDLOOM_FUZZING)
  if (memory_now > 0) set_limit(RLIMIT_AS, memory_now + limits.memory_bytes);
#else
  static_cast<void>(memory_now);
#endif
  std::string answer(1, kDone);
  try {
    answer += work();
  } catch (const Failure& failure) {
    answer = kFailed + std::string(failure.what());
  }
  write_all(to, answer.data(), answer.size());
  _exit(0);
}

/// All that the child writes, up to a byte more than `max_bytes`.
std::string read_answer(int from, size_t max_bytes) {
  std::string answer;
  char bytes[65536];
  while (answer.size() <= max_bytes) {
    const ssize_t n = read(from, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    answer.append(bytes, static_cast<size_t>(n));
  }
  return answer;
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

}  // namespace

std::string run_apart(const std::string& name, const ApartLimits& limits,
                      const std::function<std::string()>& work) {
  int ends[2];
  const size_t memory_now = address_space();
  if (pipe(ends) != 0) throw Failure(fmt::format("{}: {}", name, std::strerror(errno)));
  const pid_t child = fork();
  if (child < 0) {
    const int reason = errno;
    close(ends[0]);
    close(ends[1]);
    throw Failure(fmt::format("{}: no process could be started ({})", name, std::strerror(reason)));
  }
  if (child == 0) {
    close(ends[0]);
    work_and_exit(limits, memory_now, ends[1], work);
  }
  close(ends[1]);
  std::string answer = read_answer(ends[0], limits.answer_bytes);
  close(ends[0]);
  const bool too_long = answer.size() > limits.answer_bytes;
  if (too_long) kill(child, SIGKILL);
  const int status = wait_for(child);
  if (too_long) {
    throw Failure(fmt::format("{}: writes more than {} bytes", name, limits.answer_bytes));
  }
  if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL)) {
    throw Failure(fmt::format("{}: takes more than {} s", name, limits.seconds));
  }
  if (answer.empty()) {
    throw Failure(
        fmt::format("{}: crashes its interpreter ({}); it may recurse without end, or "
                    "divide by zero",
                    name, WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit"));
  }
  const char kind = answer[0];
  answer.erase(0, 1);
  if (kind == kFailed) throw Failure(answer);
  return answer;
}

}  // namespace cli
