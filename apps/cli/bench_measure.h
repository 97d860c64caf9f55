// The measuring of handloom bench: what to measure on a model, warm-up, repeats, checks.
#pragma once

#include "bench_report.h"
#include "commands.h"

#include <span>
#include <string>
#include <vector>

namespace cli {

struct DecodePoint {
  uint32_t context = 0, n_tokens = 0;
};

/// A command's wishes, fitted to what a session of the model holds.
struct BenchWork {
  uint32_t n_prompt = 0;
  std::vector<DecodePoint> points;
  uint32_t repeats = 0;
  std::string note;  // one sentence about what was left out; empty: nothing
};

/// Throws Failure where something was asked for that the context cannot hold.
BenchWork fit_work(const BenchCommand& command, uint32_t context);

/// How to generate, with Ctrl-C ending it.
handloom::BenchOptions bench_options(const BenchCommand& command);

/// Throws Failure with kExitInterrupted after a Ctrl-C.
void stop_if_interrupted();

/// Prefill and decode, after a warm-up, done in all `ways` by turns, `repeats` times. The figures
/// of each way.
std::vector<std::vector<BenchFigure>> measure(handloom::Engine& engine, const BenchWork& work,
                                              std::span<const handloom::BenchOptions> ways);

/// What plan plain says, for check() to compare with.
struct PlainReference {
  std::vector<uint32_t> ids;
  handloom::HostTensor logits;
};
PlainReference plain_reference(handloom::Engine& engine);

/// Generates as measure() does and compares with the logits behind it, and with plan plain's.
BenchCheck check(handloom::Engine& engine, const PlainReference* plain,
                 const handloom::BenchOptions& options, double tolerance);

/// How far logits may lie apart, as ||a - b|| / ||a||; docs/numerics.md says why.
double logit_tolerance(const handloom::ModelInfo& model, const std::string& matvec);

}  // namespace cli
