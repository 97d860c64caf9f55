#include "plan_text.h"

#include "print.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <string_view>
#include <vector>

namespace cli {
namespace {

using handloom::Plan;
using handloom::PlanBinding;
using handloom::PlanEntry;

constexpr size_t kScreenWidth = 80;

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

/// The number at the start of `text`, which is cut off; digits beyond 9 are left as they are.
uint32_t take_number(std::string_view& text) {
  uint32_t number = 0;
  for (int i = 0; i < 9 && !text.empty() && is_digit(text.front()); ++i) {
    number = number * 10 + static_cast<uint32_t>(text.front() - '0');
    text.remove_prefix(1);
  }
  return number;
}

/// What the comparison of two blocks has found so far.
struct Step {
  uint32_t first = 0,
           by = 0;           // the first block's layer and the step; by == 0: none has differed yet
  std::vector<bool> counts;  // for each number in order: does it step, or stay?
};

/// True if the texts are equal but for numbers, each of which is equal or larger by the one step.
bool same_but_for_layer(std::string_view a, std::string_view b, Step& step) {
  while (!a.empty() && !b.empty()) {
    if (is_digit(a.front()) && is_digit(b.front())) {
      const uint32_t in_a = take_number(a), in_b = take_number(b);
      step.counts.push_back(in_a != in_b);
      if (in_a == in_b) continue;
      if (in_b < in_a || (step.by != 0 && in_b - in_a != step.by)) return false;
      step.first = step.by == 0 ? in_a : std::min(step.first, in_a);
      step.by = in_b - in_a;
    } else {
      if (a.front() != b.front()) return false;
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  return a.empty() && b.empty();
}

bool same_but_for_layer(const PlanEntry& a, const PlanEntry& b, Step& step) {
  if (a.kernel != b.kernel || a.constants != b.constants || a.bytes != b.bytes ||
      !std::ranges::equal(a.workgroups, b.workgroups) || a.bindings.size() != b.bindings.size()) {
    return false;
  }
  for (size_t i = 0; i < a.bindings.size(); ++i) {
    const PlanBinding &in_a = a.bindings[i], &in_b = b.bindings[i];
    if (in_a.name != in_b.name || in_a.dtype != in_b.dtype || in_a.shape != in_b.shape ||
        in_a.written != in_b.written || !same_but_for_layer(in_a.tensor, in_b.tensor, step)) {
      return false;
    }
  }
  return same_but_for_layer(a.params, b.params, step);
}

/// The layers of two neighbouring blocks of `length` entries, if they are the same but for those.
std::optional<Step> compare_blocks(std::span<const PlanEntry> entries, size_t begin,
                                   size_t length) {
  Step step;
  for (size_t i = begin; i < begin + length; ++i) {
    if (!same_but_for_layer(entries[i], entries[i + length], step)) return std::nullopt;
  }
  return step.by == 0 ? std::nullopt : std::optional(step);
}

/// The repetition of a block of `length` from `begin` on; n == 1 if it is not repeated.
Repetition repetition_at(std::span<const PlanEntry> entries, size_t begin, size_t length) {
  Repetition found = {.begin = begin, .length = length, .n = 1};
  std::optional<Step> first;
  for (size_t at = begin; at + 2 * length <= entries.size(); at += length) {
    auto step = compare_blocks(entries, at, length);
    if (!step || (first && (step->by != first->by || step->counts != first->counts))) break;
    if (!first) first = std::move(step);
    ++found.n;
  }
  if (first) found.first_layer = first->first, found.layers_per_block = first->by;
  return found;
}

std::string grid_text(const PlanEntry& entry) {
  return fmt::format("{}x{}x{}", entry.workgroups[0], entry.workgroups[1], entry.workgroups[2]);
}

uint64_t total_bytes(std::span<const PlanEntry> entries) {
  uint64_t bytes = 0;
  for (const PlanEntry& entry : entries) bytes += entry.bytes;
  return bytes;
}

/// "x", "weight", "-> y": the tensors read, then those written.
std::vector<std::string> flow(const PlanEntry& entry) {
  std::vector<std::string> parts;
  for (const PlanBinding& binding : entry.bindings) {
    if (!binding.written) parts.push_back(binding.tensor);
  }
  const char* arrow = "-> ";
  for (const PlanBinding& binding : entry.bindings) {
    if (!binding.written) continue;
    parts.push_back(arrow + binding.tensor);
    arrow = "";
  }
  return parts;
}

struct Columns {
  size_t index = 1, kernel = 6, grid = 4, bytes = 5;
  size_t flow() const { return index + 1 + kernel + 2 + grid + 2 + bytes + 2; }
};

Columns columns_of(std::span<const PlanEntry> entries) {
  Columns columns;
  for (const PlanEntry& entry : entries) {
    columns.index = std::max(columns.index, fmt::formatted_size("{}", entry.index));
    columns.kernel = std::max(columns.kernel, entry.kernel.size());
    columns.grid = std::max(columns.grid, grid_text(entry).size());
    columns.bytes = std::max(columns.bytes, bytes_text(entry.bytes).size());
  }
  return columns;
}

void append_row(std::string& text, const Columns& columns, std::string_view index,
                std::string_view kernel, std::string_view grid, std::string_view bytes,
                std::span<const std::string> parts) {
  // Names longer than the screen allows still get a column of their own.
  const size_t room = std::max<size_t>(kScreenWidth - std::min(kScreenWidth, columns.flow()), 24);
  std::string row = fmt::format("{} {}  {}  {}  ", pad_left(index, columns.index),
                                pad_right(kernel, columns.kernel), pad_left(grid, columns.grid),
                                pad_left(bytes, columns.bytes));
  for (const std::string& line : wrap(parts, room)) {
    text += row + line + "\n";
    row.assign(columns.flow(), ' ');
  }
}

void append_entries(std::string& text, const Columns& columns, std::span<const PlanEntry> entries) {
  for (const PlanEntry& entry : entries) {
    append_row(text, columns, fmt::format("{}", entry.index), entry.kernel, grid_text(entry),
               bytes_text(entry.bytes), flow(entry));
  }
}

std::string layers_text(uint32_t first, uint32_t n) {
  return n == 1 ? fmt::format("layer {}", first)
                : fmt::format("layers {}..{}", first, first + n - 1);
}

void append_folded(std::string& text, const Columns& columns, std::span<const PlanEntry> entries,
                   const Repetition& repeated) {
  const auto shown = entries.subspan(repeated.begin, repeated.length);
  const auto rest =
      entries.subspan(repeated.begin + repeated.length, repeated.length * (repeated.n - 1));
  const uint32_t per_block = repeated.layers_per_block;
  text += fmt::format("{}: {}, {}\n", layers_text(repeated.first_layer, per_block),
                      count_text(shown.size(), "dispatch"), bytes_text(total_bytes(shown)));
  append_entries(text, columns, shown);
  text += fmt::format("{}: the same {}, x{}, {}\n",
                      layers_text(repeated.first_layer + per_block,
                                  per_block * static_cast<uint32_t>(repeated.n - 1)),
                      count_text(shown.size(), "dispatch"), repeated.n - 1,
                      bytes_text(total_bytes(rest)));
}

std::string title_line(const Plan& plan) {
  return fmt::format("{}: {}, {} moved\n", plan.title, count_text(plan.entries.size(), "dispatch"),
                     bytes_text(total_bytes(plan.entries)));
}

}  // namespace

std::optional<Repetition> find_repetition(std::span<const PlanEntry> entries) {
  Repetition best;
  const auto saved = [](const Repetition& r) { return r.n == 0 ? 0 : r.length * (r.n - 1); };
  for (size_t begin = 0; begin < entries.size(); ++begin) {
    for (size_t length = 1; begin + 2 * length <= entries.size(); ++length) {
      const Repetition found = repetition_at(entries, begin, length);
      if (saved(found) > saved(best)) best = found;
    }
  }
  return saved(best) == 0 ? std::nullopt : std::optional(best);
}

std::string plan_text(const Plan& plan) {
  const std::span<const PlanEntry> entries = plan.entries;
  const Columns columns = columns_of(entries);
  std::string text = title_line(plan);
  append_row(text, columns, "#", "kernel", "grid", "bytes",
             std::vector<std::string>{"read -> written"});
  if (const auto repeated = find_repetition(entries)) {
    append_entries(text, columns, entries.first(repeated->begin));
    append_folded(text, columns, entries, *repeated);
    append_entries(text, columns,
                   entries.subspan(repeated->begin + repeated->length * repeated->n));
  } else {
    append_entries(text, columns, entries);
  }
  return text +
         "grid: workgroups in x, y and z. bytes: moved to and from GPU memory, each tensor\n"
         "counted once. --all shows every dispatch with its constants and shapes.\n";
}

std::string full_plan_text(const Plan& plan) {
  std::string text = title_line(plan);
  for (const PlanEntry& entry : plan.entries) {
    text += fmt::format("\n{} {}  grid {}  {}\n", entry.index, entry.kernel, grid_text(entry),
                        bytes_text(entry.bytes));
    for (const PlanBinding& binding : entry.bindings) {
      text += fmt::format("    {:<12} {} {} {} {}\n", binding.name, binding.written ? "->" : "<-",
                          binding.tensor, binding.dtype, binding.shape);
    }
    if (!entry.constants.empty()) text += fmt::format("    constants    {}\n", entry.constants);
    if (!entry.params.empty()) text += fmt::format("    params       {}\n", entry.params);
  }
  return text;
}

nlohmann::ordered_json plan_json(const Plan& plan) {
  nlohmann::ordered_json entries = nlohmann::ordered_json::array();
  for (const PlanEntry& entry : plan.entries) {
    nlohmann::ordered_json bindings = nlohmann::ordered_json::array();
    for (const PlanBinding& binding : entry.bindings) {
      bindings.push_back({{"name", binding.name},
                          {"tensor", binding.tensor},
                          {"dtype", binding.dtype},
                          {"shape", binding.shape},
                          {"written", binding.written}});
    }
    entries.push_back({{"index", entry.index},
                       {"kernel", entry.kernel},
                       {"bindings", std::move(bindings)},
                       {"constants", entry.constants},
                       {"params", entry.params},
                       {"workgroups", entry.workgroups},
                       {"bytes", entry.bytes}});
  }
  return {
      {"title", plan.title}, {"bytes", total_bytes(plan.entries)}, {"entries", std::move(entries)}};
}

}  // namespace cli
