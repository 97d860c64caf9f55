// The sentence a call fails with, for tests that read it.
#pragma once

#include "failure.h"

#include <string>

namespace cli {

/// "(no failure)" if `call` returns.
template <class Call>
std::string failure_of(Call call, int exit_code = kExitFailure) {
  try {
    call();
  } catch (const Failure& failure) {
    if (failure.exit_code() == exit_code) return failure.what();
    return "(exit code " + std::to_string(failure.exit_code()) + ") " + failure.what();
  }
  return "(no failure)";
}

}  // namespace cli
