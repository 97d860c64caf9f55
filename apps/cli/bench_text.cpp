#include "bench_text.h"

#include "bench_json.h"
#include "print.h"

#include <fmt/format.h>

#include <algorithm>

namespace cli {
namespace {

using handloom::StepProfile;

constexpr size_t kNameWidth = 26, kNumberWidth = 9;

std::string number(double value) { return pad_left(three_digits(value), kNumberWidth); }
std::string blank() { return std::string(kNumberWidth, ' '); }

std::string name_of(const BenchFigure& figure) {
  if (figure.tokens == 0) return figure.name;
  return fmt::format("{} {} {}", figure.name, figure.name == "prefill" ? "of" : "after",
                     count_text(figure.tokens, "token"));
}

/// "   0.90 GB/s  41 %", or nothing for what reads no memory to speak of.
std::string bandwidth_text(double bytes_per_second, double read_bandwidth) {
  if (bytes_per_second <= 0.0) return "";
  std::string text = number(bytes_per_second * 1e-9) + " GB/s";
  if (read_bandwidth > 0.0) {
    text += fmt::format("{:6.1f} %", 100.0 * bytes_per_second / read_bandwidth);
  }
  return text;
}

std::string figure_line(const BenchFigure& figure, const BenchReport& report,
                        const EarlierBench* earlier) {
  const Samples& samples = figure.samples;
  const bool is_spread = samples.least() < samples.most();
  std::string line =
      pad_right(name_of(figure), kNameWidth) + number(samples.median()) +
      (is_spread ? number(samples.least()) + number(samples.most()) : blank() + blank()) + "  " +
      pad_right(figure.unit, 5);
  if (earlier != nullptr) {
    const auto before = earlier->median_of(figure);
    line += before && *before > 0.0
                ? number(*before) + fmt::format("{:8.2f}x", samples.median() / *before)
                : blank() + blank();
  }
  line += bandwidth_text(figure.bytes_per_second, report.read_bandwidth);
  if (!report.check.failure.empty()) line += "  FAILED CHECK";
  return line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
}

std::string header_lines(const BenchReport& report) {
  const handloom::ModelInfo& model = report.model;
  const handloom::AdapterInfo& adapter = report.adapter;
  std::string driver = adapter.driver.empty() ? "" : ", " + adapter.driver;
  return fmt::format(
      "{} ({}): weights {}, {} read a token; KV {}, {} a token held\n"
      "plan {}, matvec {}, subgroups {}, sampling on the {}, steps in flight {}\n"
      "{}, {}{}; a plain read reaches {} GB/s\n"
      "{}, handloom {} of commit {}, {}\n",
      model_name(model), model.architecture, report.weights,
      bytes_text(model.weight_bytes_per_token), model.kv_dtype,
      bytes_text(model.kv_bytes_per_token), model.plan, model.matvec,
      report.subgroups ? "on" : "off", report.sampling,
      report.steps_in_flight == 0 ? "chosen" : fmt::format("{}", report.steps_in_flight),
      adapter.name, adapter.backend, driver, three_digits(report.read_bandwidth * 1e-9),
      report.system, handloom::version(), report.commit, report.date);
}

std::string figures_table(const BenchReport& report, const EarlierBench* earlier) {
  std::string text = std::string(kNameWidth, ' ') + pad_left("median", kNumberWidth) +
                     pad_left("least", kNumberWidth) + pad_left("most", kNumberWidth) + "  unit ";
  if (earlier != nullptr) {
    text += pad_left("earlier", kNumberWidth) + pad_left("ratio", kNumberWidth);
  }
  text += pad_left("bandwidth", kNumberWidth + 5) + "  of read\n";
  for (const BenchFigure& figure : report.figures) text += figure_line(figure, report, earlier);
  return text;
}

std::string check_line(const BenchCheck& check) {
  if (!check.failure.empty()) return "check: FAILED: " + check.failure + "\n";
  std::string text = fmt::format("check: logits finite and not zero; {} of {} ids have the largest",
                                 check.n_chosen, check.n_tokens);
  if (!check.n_equal) return text + "\n";
  return text + fmt::format(
                    "\n       against plan plain: {} of {} ids equal, logits differ by {:.1e} at "
                    "most (limit {:.0e})\n",
                    *check.n_equal, check.n_tokens, check.largest_difference, check.tolerance);
}

std::string trace_line(const BenchReport& report) {
  if (!report.trace) return "";
  return fmt::format("steps: the GPU works {} us on one and idles {:.1f} % between them\n",
                     three_digits(report.trace->step_us), 100.0 * report.trace->idle);
}

std::string profile_table(const BenchProfile& profile, double read_bandwidth) {
  const std::vector<KernelShare> shares = group_by_kernel(profile.step);
  double total_us = 0.0;
  size_t width = 6;
  for (const KernelShare& share : shares) {
    total_us += share.us;
    width = std::max(width, share.kernel.size());
  }
  std::string text = fmt::format("\n{}: {}, {} us in passes of their own, {} us as submitted\n",
                                 profile.title, count_text(profile.step.entries.size(), "dispatch"),
                                 three_digits(total_us), three_digits(profile.step.span_us));
  text += pad_right("kernel", width) + pad_left("count", 8) + pad_left("us", kNumberWidth) +
          pad_left("share", 9) + pad_left("bytes", 10) + pad_left("bandwidth", kNumberWidth + 5) +
          "  of read\n";
  for (const KernelShare& share : shares) {
    const double rate = share.us > 0.0 ? static_cast<double>(share.bytes) * 1e6 / share.us : 0.0;
    text +=
        fmt::format("{}{:8}{}{:7.1f} %{}{}\n", pad_right(share.kernel, width), share.count,
                    number(share.us), total_us > 0.0 ? 100.0 * share.us / total_us : 0.0,
                    pad_left(bytes_text(share.bytes), 10), bandwidth_text(rate, read_bandwidth));
  }
  return text;
}

std::string ablation_table(const std::vector<BenchVariant>& variants) {
  if (variants.empty()) return "";
  constexpr size_t kCellWidth = 24;
  std::string text = "\n" + pad_right("variant", kNameWidth);
  for (const BenchFigure& figure : variants.front().figures) {
    if (figure.unit == "tok/s") text += pad_left(name_of(figure), kCellWidth);
  }
  text += "\n";
  for (const BenchVariant& variant : variants) {
    text += pad_right(variant.name, kNameWidth);
    if (!variant.refusal.empty()) text += "  not here: " + variant.refusal;
    for (size_t i = 0; i < variant.figures.size(); ++i) {
      const BenchFigure& figure = variant.figures[i];
      if (figure.unit != "tok/s") continue;
      const double ratio = figure.samples.median() / variants.front().figures[i].samples.median();
      text += pad_left(fmt::format("{} {:7.2f}x", three_digits(figure.samples.median()), ratio),
                       kCellWidth);
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::vector<KernelShare> group_by_kernel(const StepProfile& profile) {
  std::vector<KernelShare> shares;
  for (size_t i = 0; i < profile.entries.size(); ++i) {
    const handloom::PlanEntry& entry = profile.entries[i];
    auto share = std::ranges::find(shares, entry.kernel, &KernelShare::kernel);
    if (share == shares.end()) share = shares.insert(shares.end(), {.kernel = entry.kernel});
    ++share->count;
    share->us += profile.us[i];
    share->bytes += entry.bytes;
  }
  std::ranges::stable_sort(shares, std::greater(), &KernelShare::us);
  return shares;
}

std::string bench_text(const BenchReport& report, const EarlierBench* earlier) {
  std::string text = header_lines(report);
  if (earlier != nullptr) {
    text += fmt::format("earlier: commit {}, {}\n", earlier->commit, earlier->date);
    for (const std::string& sentence : differences(*earlier, report)) text += sentence + "\n";
  }
  text +=
      "\n" + figures_table(report, earlier) + "\n" + check_line(report.check) + trace_line(report);
  for (const BenchProfile& profile : report.profiles) {
    text += profile_table(profile, report.read_bandwidth);
  }
  return text + ablation_table(report.ablation);
}

}  // namespace cli
