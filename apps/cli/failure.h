// How a command ends early: one sentence and an exit code, thrown up to main().
#pragma once

#include <handloom/error.h>

#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace cli {

inline constexpr int kExitFailure = 1;        // something could not be done
inline constexpr int kExitUsage = 2;          // the command line cannot be meant
inline constexpr int kExitInterrupted = 130;  // Ctrl-C: 128 + SIGINT, as shells count

/// what() is the sentence that main() prints after "handloom: ".
class Failure : public std::runtime_error {
 public:
  explicit Failure(const std::string& sentence, int exit_code = kExitFailure)
      : std::runtime_error(sentence), exit_code_(exit_code) {}
  int exit_code() const { return exit_code_; }

 private:
  int exit_code_;
};

/// The value of a Result, or its error thrown as a Failure.
template <class T>
T take(handloom::Result<T> result) {
  if (!result) throw Failure(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// `text` on one line: what a file or a library says may hold line breaks, an error must not.
std::string one_line(std::string text);

}  // namespace cli
