// Work on what cannot be trusted, done where it can do no harm.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace cli {

struct ApartLimits {
  unsigned seconds;     // of processor time
  size_t memory_bytes;  // more than there is already
  size_t answer_bytes;
};

/// `work()` in a child process of its own, and its answer. Throws Failure with what `work` threw as
/// one, or, beginning with `name`, with which limit it passed or that it crashed.
std::string run_apart(const std::string& name, const ApartLimits& limits,
                      const std::function<std::string()>& work);

}  // namespace cli
