// Whether what handloom bench times computes the right thing.
#pragma once

#include "bench_report.h"

#include <handloom/bench.h>

#include <cstdint>
#include <string>
#include <vector>

namespace cli {

/// What the check takes of a session: a prompt, and the tokens it compares.
inline constexpr uint32_t kCheckPrompt = 16, kCheckTokens = 32;

/// What plan plain says, for check() to compare with.
struct PlainReference {
  std::vector<uint32_t> ids;
  handloom::HostTensor logits;  // [kCheckTokens, vocab_size]: those that the ids were chosen from
};
PlainReference plain_reference(handloom::Engine& engine);

/// Generates as measure() does and compares with the logits behind it and, unless `plain` is null,
/// with plan plain's.
BenchCheck check(handloom::Engine& engine, const PlainReference* plain,
                 const handloom::BenchOptions& options, double tolerance);

/// How far logits may lie apart, as ||a - b|| / ||a||; docs/numerics.md says why.
double logit_tolerance(const handloom::ModelInfo& model);

}  // namespace cli
