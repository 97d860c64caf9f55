// What the fuzz programs share: a check that stops the program, so that the fuzzer keeps the input,
// and the promise that every error keeps.
#pragma once

#include <cstdlib>
#include <string>

namespace fuzz {

inline void require(bool condition) {
  if (!condition) std::abort();
}

/// Whether there is a value. An error must be one short line.
template <class Result>
bool parsed(const Result& result) {
  if (result) return true;
  const std::string& message = result.error().message;
  require(message.size() < 1000);
  require(message.find('\n') == std::string::npos);
  return false;
}

}  // namespace fuzz
