// The measuring of handloom bench: warm-up and repeats.
#pragma once

#include "bench_report.h"
#include "bench_work.h"

#include <span>
#include <vector>

namespace cli {

/// How to generate, with Ctrl-C ending it.
handloom::BenchOptions bench_options(const BenchCommand& command);

/// Throws Failure with kExitInterrupted after a Ctrl-C.
void stop_if_interrupted();

/// Prefill and decode, after a warm-up, done in all `ways` by turns, `repeats` times. The figures
/// of each way.
std::vector<std::vector<BenchFigure>> measure(handloom::Engine& engine, const BenchWork& work,
                                              std::span<const handloom::BenchOptions> ways);

}  // namespace cli
