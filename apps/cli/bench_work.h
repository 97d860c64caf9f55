// What handloom bench measures on a model.
#pragma once

#include "commands.h"

#include <cstdint>
#include <string>
#include <vector>

namespace cli {

struct DecodePoint {
  uint32_t context = 0, n_tokens = 0;
};

/// A command's wishes, fitted to what a session of the model holds.
struct BenchWork {
  uint32_t n_prompt = 0;
  std::vector<DecodePoint> points;  // at least one
  uint32_t repeats = 0;
  std::string note;  // one sentence about what was left out; empty: nothing
};

/// Throws Failure where something was asked for that the context cannot hold.
BenchWork fit_work(const BenchCommand& command, uint32_t context);

}  // namespace cli
