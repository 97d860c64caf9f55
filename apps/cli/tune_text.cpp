#include "tune_text.h"

#include "print.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace cli {
namespace {

constexpr size_t kWeightWidth = 10, kFormWidth = 72, kNumberWidth = 9;

std::string timing_line(const handloom::FormTiming& timing) {
  const std::string line =
      pad_right(timing.form.weight, kWeightWidth) + pad_right(form_text(timing.form), kFormWidth);
  if (!timing.failure.empty()) return line + timing.failure + "\n";
  return line + pad_left(three_digits(timing.us), kNumberWidth) +
         pad_left(three_digits(timing.bytes_per_second * 1e-9), kNumberWidth) +
         (timing.is_rule ? "  rule" : "") + (timing.is_chosen ? "  chosen" : "") + "\n";
}

}  // namespace

std::string form_text(const handloom::ProductForm& form) {
  std::string text =
      fmt::format("{} by {}, {} lanes for {} outputs", form.act,
                  form.subgroups ? "subgroups" : "workgroups", form.workgroup_size, form.n_outputs);
  if (form.rows_at_once > 1) text += fmt::format(", {} rows at once", form.rows_at_once);
  if (form.wide_below > 0) text += fmt::format(", two a row below {} rows", form.wide_below);
  return text;
}

nlohmann::ordered_json forms_json(std::span<const handloom::ProductForm> forms) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const handloom::ProductForm& form : forms) {
    json.push_back({{"weight", form.weight},
                    {"act", form.act},
                    {"subgroups", form.subgroups},
                    {"workgroup_size", form.workgroup_size},
                    {"n_outputs", form.n_outputs},
                    {"rows_at_once", form.rows_at_once},
                    {"wide_below", form.wide_below},
                    {"knows_shape", form.knows_shape},
                    {"is_measured", form.is_measured}});
  }
  return json;
}

std::string tune_text(const handloom::TuningReport& report) {
  std::string text = report.adapter.name + "\n" + pad_right("weight", kWeightWidth) +
                     pad_right("form", kFormWidth) + pad_left("us", kNumberWidth) +
                     pad_left("GB/s", kNumberWidth) + "\n";
  for (const handloom::FormTiming& timing : report.forms) text += timing_line(timing);
  return text + fmt::format("measured in {:.1f} s{}\n", report.seconds,
                            report.file.empty() ? "" : "; kept in " + report.file);
}

}  // namespace cli
