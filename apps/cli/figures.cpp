#include "figures.h"

#include "print.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <vector>

namespace cli {
namespace {

double per_second(double amount, double ms) { return ms > 0.0 ? amount * 1e3 / ms : 0.0; }

std::string bandwidth_text(const Figures& figures) {
  const double reached = decode_bandwidth(figures.timings);
  if (reached <= 0.0) return "";
  const std::string text = fmt::format("{} GB/s", three_digits(reached * 1e-9));
  if (!figures.read_bandwidth || *figures.read_bandwidth <= 0.0) return text;
  return fmt::format("{}, {:.0f} % of {} GB/s", text, 100.0 * reached / *figures.read_bandwidth,
                     three_digits(*figures.read_bandwidth * 1e-9));
}

}  // namespace

double prefill_rate(const handloom::Timings& timings) {
  return per_second(timings.n_prompt, timings.prefill_ms);
}

double decode_rate(const handloom::Timings& timings) {
  return timings.n_generated < 2 ? 0.0 : per_second(timings.n_generated - 1, timings.decode_ms);
}

double decode_bandwidth(const handloom::Timings& timings) {
  if (timings.n_generated < 2) return 0.0;
  return per_second(static_cast<double>(timings.decode_bytes), timings.decode_ms);
}

std::string rate_text(double tokens_per_second) {
  if (tokens_per_second <= 0.0) return "";
  return fmt::format(" {} tok/s", three_digits(tokens_per_second));
}

std::string in_flight_text(const handloom::Timings& timings) {
  if (timings.n_generated < 2) return "";
  return fmt::format("{} in flight, visible after {} ms",
                     count_text(timings.steps_in_flight, "step"), three_digits(timings.visible_ms));
}

std::string memory_text(const handloom::MemoryUse& memory) {
  const std::string total = bytes_text(memory.total());
  const std::string unit = total.substr(total.find(' '));
  const auto part = [&](std::string_view name, uint64_t bytes) {
    std::string text = bytes_text(bytes);
    if (text.ends_with(unit)) text.resize(text.size() - unit.size());
    return fmt::format("{} {}", name, text);
  };
  std::vector<std::string> parts = {part("weights", memory.weights), part("kv", memory.kv_cache),
                                    part("activations", memory.activations)};
  if (memory.other > 0) parts.push_back(part("other", memory.other));
  std::string text = fmt::format("GPU memory {}: {}", total, join(parts, ", "));
  if (memory.kv_host > 0) text += fmt::format("; kv on the host {}", bytes_text(memory.kv_host));
  return text;
}

std::string figures_line(const Figures& figures) {
  const handloom::Timings& timings = figures.timings;
  std::vector<std::string> parts = {
      fmt::format("load {} s", three_digits(figures.load_ms * 1e-3)),
      fmt::format("prompt {}{}", count_text(timings.n_prompt, "token"),
                  rate_text(prefill_rate(timings))),
      fmt::format("{}{}", count_text(timings.n_generated, "token"),
                  rate_text(decode_rate(timings))),
  };
  if (const std::string text = bandwidth_text(figures); !text.empty()) parts.push_back(text);
  if (const std::string text = in_flight_text(timings); !text.empty()) parts.push_back(text);
  parts.push_back(memory_text(figures.memory));
  if (figures.seed) parts.push_back(fmt::format("seed {}", *figures.seed));
  const bool software = figures.adapter.kind == handloom::AdapterKind::software;
  parts.push_back(
      fmt::format("{}: {}", software ? "software adapter" : "adapter", figures.adapter.name));
  return join(parts, " | ");
}

nlohmann::ordered_json figures_json(const Figures& figures) {
  const handloom::Timings& timings = figures.timings;
  nlohmann::ordered_json json = {
      {"load_ms", figures.load_ms},
      {"n_prompt", timings.n_prompt},
      {"prefill_ms", timings.prefill_ms},
      {"prefill_tokens_per_second", prefill_rate(timings)},
      {"n_generated", timings.n_generated},
      {"decode_ms", timings.decode_ms},
      {"decode_tokens_per_second", decode_rate(timings)},
      {"decode_bytes", timings.decode_bytes},
      {"decode_bytes_per_second", decode_bandwidth(timings)},
      {"read_bytes_per_second", nullptr},
      {"steps_in_flight", timings.steps_in_flight},
      {"visible_ms", timings.visible_ms},
      {"gpu_memory",
       {{"weights", figures.memory.weights},
        {"kv_cache", figures.memory.kv_cache},
        {"activations", figures.memory.activations},
        {"other", figures.memory.other},
        {"kv_host", figures.memory.kv_host}}},
  };
  if (figures.read_bandwidth) json["read_bytes_per_second"] = *figures.read_bandwidth;
  return json;
}

std::string estimate_text(const handloom::MemoryEstimate& estimate) {
  const handloom::MemoryUse& use = estimate.use;
  std::string text;
  const auto row = [&](std::string_view name, uint64_t bytes, const std::string& remark = "") {
    text += fmt::format("{}{}{}\n", pad_right(name, 14), pad_left(bytes_text(bytes), 9),
                        remark.empty() ? "" : "   " + remark);
  };
  row("weights", use.weights);
  row("KV cache", use.kv_cache,
      fmt::format("{}, {} of context", estimate.kv_dtype, count_text(estimate.context, "token")));
  row("activations", use.activations);
  row("other", use.other, "rotations, page table, parameters; about");
  row("GPU memory", use.total());
  if (use.kv_host > 0) row("host memory", use.kv_host, "KV cache beyond the budget");
  if (estimate.budget == 0) {
    text += fmt::format("{} does not tell how much it has\n", estimate.adapter.name);
  } else if (estimate.fits) {
    text += fmt::format("fits in {} of {}\n", bytes_text(estimate.budget), estimate.adapter.name);
  } else {
    text += fmt::format("does not fit in {} of {}; a context of {} would\n",
                        bytes_text(estimate.budget), estimate.adapter.name,
                        count_text(estimate.fitting_context, "token"));
  }
  return text;
}

nlohmann::ordered_json estimate_json(const handloom::MemoryEstimate& estimate) {
  const handloom::MemoryUse& use = estimate.use;
  return {{"adapter", estimate.adapter.name},
          {"context", estimate.context},
          {"kv", estimate.kv_dtype},
          {"gpu_memory",
           {{"weights", use.weights},
            {"kv_cache", use.kv_cache},
            {"activations", use.activations},
            {"other", use.other},
            {"total", use.total()}}},
          {"host_memory", {{"kv_cache", use.kv_host}}},
          {"budget", estimate.budget},
          {"fits", estimate.fits},
          {"fitting_context", estimate.fitting_context}};
}

std::string software_notice(const handloom::AdapterInfo& adapter, bool asked_for) {
  if (adapter.kind != handloom::AdapterKind::software) return "";
  return fmt::format("{}using the software adapter {}",
                     asked_for ? "" : "no GPU found: ", adapter.name);
}

}  // namespace cli
