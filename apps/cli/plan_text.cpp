#include "plan_text.h"

#include "print.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <string_view>
#include <vector>

namespace cli {
namespace {

using handloom::Plan;
using handloom::PlanBinding;
using handloom::PlanEntry;

constexpr size_t kScreenWidth = 80;
constexpr size_t kKernelWidth = 20;  // longer names take several lines

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

bool same_but_for_tensors(const PlanEntry& a, const PlanEntry& b) {
  return a.kernel == b.kernel && a.constants == b.constants && a.bytes == b.bytes &&
         std::ranges::equal(a.workgroups, b.workgroups) &&
         std::ranges::equal(a.bindings, b.bindings, [](const auto& in_a, const auto& in_b) {
           return in_a.name == in_b.name && in_a.dtype == in_b.dtype && in_a.shape == in_b.shape &&
                  in_a.written == in_b.written;
         });
}

/// As the table shows them, which leaves params out.
bool looks_same_but_for_layer(const PlanEntry& a, const PlanEntry& b, Step& step) {
  if (!same_but_for_tensors(a, b)) return false;
  for (size_t i = 0; i < a.bindings.size(); ++i) {
    if (!same_but_for_layer(a.bindings[i].tensor, b.bindings[i].tensor, step)) return false;
  }
  return true;
}

bool same_but_for_layer(const PlanEntry& a, const PlanEntry& b, Step& step) {
  return looks_same_but_for_layer(a, b, step) && same_but_for_layer(a.params, b.params, step);
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

/// The layer of a tensor, the 3 of "blk.3.attn_norm.weight" and "kv.3.0".
std::optional<uint32_t> layer_of(std::string_view tensor) {
  const size_t dot = tensor.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  tensor.remove_prefix(dot + 1);
  if (tensor.empty() || !is_digit(tensor.front())) return std::nullopt;
  return take_number(tensor);
}

/// The layer of a dispatch: a fused one may read the norm of the next layer as well. What reads
/// tokens comes before all layers.
std::optional<uint32_t> layer_of(const PlanEntry& entry) {
  std::optional<uint32_t> least;
  for (const PlanBinding& binding : entry.bindings) {
    if (binding.name == "token_ids" && !binding.written) return std::nullopt;
    const auto layer = layer_of(binding.tensor);
    if (layer && (!least || *layer < *least)) least = layer;
  }
  return least;
}

bool begins_layer(std::span<const PlanEntry> entries, size_t i) {
  return layer_of(entries[i]) && (i == 0 || layer_of(entries[i - 1]) != layer_of(entries[i]));
}

/// Makes the block before `r` its first, if it looks the same but for the layer: the first layer of
/// a fused plan has other params, since what it works on comes from another kernel.
void take_block_before(std::span<const PlanEntry> entries, Repetition& r) {
  if (r.begin < r.length) return;
  Step step;
  for (size_t i = r.begin - r.length; i < r.begin; ++i) {
    if (!looks_same_but_for_layer(entries[i], entries[i + r.length], step)) return;
  }
  if (step.by != r.layers_per_block) return;
  r.begin -= r.length;
  r.first_layer = step.first;
  ++r.n;
}

/// Whether the entry of the third block of `r` or a later one, or behind `r`, does not follow from
/// the two blocks before it.
bool is_exception(std::span<const PlanEntry> entries, const Repetition& r, size_t i) {
  if (i < r.begin + 2 * r.length) return false;
  const PlanEntry &older = entries[i - 2 * r.length], &old = entries[i - r.length];
  Step before, step;
  return !looks_same_but_for_layer(older, old, before) ||
         !looks_same_but_for_layer(old, entries[i], step) || step.by != before.by ||
         step.counts != before.counts;
}

/// Adds the block behind `r`, if it is the same but for tensors: the last layer of a fused plan
/// reads the output's norm where others read that of the layer after them.
void take_block_behind(std::span<const PlanEntry> entries, Repetition& r) {
  const size_t end = r.begin + r.length * r.n;
  if (entries.size() - end < r.length) return;
  size_t n_same = 0;
  for (size_t i = end; i < end + r.length; ++i) {
    if (!same_but_for_tensors(entries[i - r.length], entries[i])) return;
    if (!is_exception(entries, r, i)) ++n_same;
  }
  if (2 * n_same > r.length) ++r.n;
}

size_t n_saved(const Repetition& r) { return r.n == 0 ? 0 : r.length * (r.n - 1); }

std::string grid_text(const PlanEntry& entry) {
  return fmt::format("{}x{}x{}", entry.workgroups[0], entry.workgroups[1], entry.workgroups[2]);
}

uint64_t total_bytes(std::span<const PlanEntry> entries) {
  uint64_t bytes = 0;
  for (const PlanEntry& entry : entries) bytes += entry.bytes;
  return bytes;
}

/// The tensors read, or those written, each once: where a kernel has no use for a binding, a tensor
/// that it has anyway is bound again.
std::vector<std::string> tensors_of(const PlanEntry& entry, bool written) {
  std::vector<std::string> tensors;
  for (const PlanBinding& binding : entry.bindings) {
    if (binding.written != written) continue;
    if (std::ranges::find(tensors, binding.tensor) == tensors.end()) {
      tensors.push_back(binding.tensor);
    }
  }
  return tensors;
}

/// "x", "weight", "-> y": the tensors read, then those written.
std::vector<std::string> flow(const PlanEntry& entry) {
  std::vector<std::string> parts = tensors_of(entry, false);
  std::vector<std::string> written = tensors_of(entry, true);
  if (!written.empty()) written.front().insert(0, "-> ");
  std::ranges::move(written, std::back_inserter(parts));
  return parts;
}

/// A name in lines of at most kKernelWidth characters where its underscores allow it.
std::vector<std::string> wrap_name(std::string_view name) {
  std::vector<std::string> lines;
  std::string indent;
  while (indent.size() + name.size() > kKernelWidth) {
    const size_t cut = name.rfind('_', kKernelWidth - indent.size() - 1);
    if (cut == std::string_view::npos || cut == 0) break;
    lines.push_back(indent + std::string(name.substr(0, cut + 1)));
    name.remove_prefix(cut + 1);
    indent = "  ";
  }
  lines.push_back(indent + std::string(name));
  return lines;
}

struct Columns {
  size_t index = 1, kernel = 6, grid = 4, bytes = 5;
  size_t flow() const { return index + 1 + kernel + 2 + grid + 2 + bytes + 2; }
};

Columns columns_of(std::span<const PlanEntry> entries) {
  Columns columns;
  for (const PlanEntry& entry : entries) {
    columns.index = std::max(columns.index, fmt::formatted_size("{}", entry.index));
    for (const std::string& line : wrap_name(entry.kernel)) {
      columns.kernel = std::max(columns.kernel, line.size());
    }
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
  const std::vector<std::string> names = wrap_name(kernel), flows = wrap(parts, room);
  for (size_t i = 0; i < std::max(names.size(), flows.size()); ++i) {
    const std::string row =
        fmt::format("{} {}  {}  {}  {}", pad_left(i == 0 ? index : "", columns.index),
                    pad_right(i < names.size() ? names[i] : "", columns.kernel),
                    pad_left(i == 0 ? grid : "", columns.grid),
                    pad_left(i == 0 ? bytes : "", columns.bytes), i < flows.size() ? flows[i] : "");
    text.append(row, 0, row.find_last_not_of(' ') + 1);
    text += '\n';
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
  std::vector<PlanEntry> exceptions;
  for (size_t i = 0; i < rest.size(); ++i) {
    if (is_exception(entries, repeated, repeated.begin + repeated.length + i)) {
      exceptions.push_back(rest[i]);
    }
  }
  text += fmt::format("{}: the same {}, x{}, {}{}\n",
                      layers_text(repeated.first_layer + per_block,
                                  per_block * static_cast<uint32_t>(repeated.n - 1)),
                      count_text(shown.size(), "dispatch"), repeated.n - 1,
                      bytes_text(total_bytes(rest)), exceptions.empty() ? "" : ", but for");
  append_entries(text, columns, exceptions);
}

std::string title_line(const Plan& plan) {
  return fmt::format("{}: {}, {} moved\n", plan.title, count_text(plan.entries.size(), "dispatch"),
                     bytes_text(total_bytes(plan.entries)));
}

}  // namespace

std::optional<Repetition> find_repetition(std::span<const PlanEntry> entries) {
  Repetition best;
  for (size_t begin = 0; begin < entries.size(); ++begin) {
    for (size_t length = 1; begin + 2 * length <= entries.size(); ++length) {
      const Repetition found = repetition_at(entries, begin, length);
      if (n_saved(found) > n_saved(best)) best = found;
    }
  }
  return n_saved(best) == 0 ? std::nullopt : std::optional(best);
}

Repetition whole_layers(std::span<const PlanEntry> entries, const Repetition& repeated) {
  Repetition best = repeated;
  for (size_t i = 0; i < repeated.length; ++i) {
    if (!begins_layer(entries, repeated.begin + i)) continue;
    Repetition moved = repetition_at(entries, repeated.begin + i, repeated.length);
    if (moved.n < 2) continue;
    take_block_before(entries, moved);
    take_block_behind(entries, moved);
    if (n_saved(moved) > n_saved(best) || !begins_layer(entries, best.begin)) best = moved;
  }
  return best;
}

std::string plan_text(const Plan& plan) {
  const std::span<const PlanEntry> entries = plan.entries;
  const Columns columns = columns_of(entries);
  std::string text = title_line(plan);
  append_row(text, columns, "#", "kernel", "grid", "bytes",
             std::vector<std::string>{"read -> written"});
  if (const auto found = find_repetition(entries)) {
    const Repetition repeated = whole_layers(entries, *found);
    append_entries(text, columns, entries.first(repeated.begin));
    append_folded(text, columns, entries, repeated);
    append_entries(text, columns, entries.subspan(repeated.begin + repeated.length * repeated.n));
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
