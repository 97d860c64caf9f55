// What a run cost, in one line and in JSON.
#pragma once

#include <handloom/handloom.h>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace cli {

struct Figures {
  double load_ms = 0.0;
  handloom::Timings timings;
  handloom::MemoryUse memory;
  std::optional<double> read_bandwidth;  // bytes per second of a plain read on this adapter
  std::optional<uint64_t> seed;          // absent if greedy: then no seed matters
  handloom::AdapterInfo adapter;
};

/// Tokens per second of the prompt; 0 if nothing was measured.
double prefill_rate(const handloom::Timings& timings);

/// Tokens per second after the first, which the prefill gave; 0 for fewer than two.
double decode_rate(const handloom::Timings& timings);

/// Bytes per second read by the decode steps; 0 for fewer than two tokens.
double decode_bandwidth(const handloom::Timings& timings);

/// " 64.1 tok/s", or nothing if nothing was measured.
std::string rate_text(double tokens_per_second);

/// "3 steps in flight, visible after 1.20 ms", or nothing for fewer than two tokens.
std::string in_flight_text(const handloom::Timings& timings);

/// "GPU memory 20.8 MB: weights 13.6, kv 4.20, activations 312 KB": the total's unit goes unsaid.
std::string memory_text(const handloom::MemoryUse& memory);

/// "load 0.42 s | prompt 21 tokens 310 tok/s | 87 tokens 64.1 tok/s | 0.90 GB/s, 41 % of ..."
std::string figures_line(const Figures& figures);

nlohmann::ordered_json figures_json(const Figures& figures);

/// The line that says that no GPU is at work, or empty if one is. `asked_for`: by --adapter.
std::string software_notice(const handloom::AdapterInfo& adapter, bool asked_for);

/// What loading a model would allocate, by kind, and whether it fits: some lines.
std::string estimate_text(const handloom::MemoryEstimate& estimate);
nlohmann::ordered_json estimate_json(const handloom::MemoryEstimate& estimate);

}  // namespace cli
