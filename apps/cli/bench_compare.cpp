#include "bench_compare.h"

#include "bench_json.h"
#include "failure.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace cli {
namespace {

EarlierBench earlier_from(const nlohmann::json& json) {
  EarlierBench earlier = {.date = json.at("date"),
                          .commit = json.at("commit"),
                          .adapter = json.at("adapter").at("name"),
                          .model = json.at("model").at("name")};
  for (const auto& figure : json.at("figures")) {
    earlier.figures.push_back(
        {.name = figure.at("name"), .tokens = figure.at("tokens"), .median = figure.at("median")});
  }
  return earlier;
}

}  // namespace

std::optional<double> EarlierBench::median_of(const BenchFigure& figure) const {
  for (const EarlierFigure& f : figures) {
    if (f.name == figure.name && f.tokens == figure.tokens) return f.median;
  }
  return std::nullopt;
}

std::vector<EarlierBench> read_earlier(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    throw Failure(fmt::format("{}: cannot be read ({}), expected a file that bench --json wrote",
                              one_line(path), std::strerror(errno)));
  }
  std::vector<EarlierBench> all;
  size_t line_number = 0;
  for (std::string line; std::getline(file, line);) {
    ++line_number;
    if (line.empty()) continue;
    try {
      all.push_back(earlier_from(nlohmann::json::parse(line)));
    } catch (const nlohmann::json::exception&) {
      throw Failure(fmt::format("{}: line {} is no report, expected what bench --json writes",
                                one_line(path), line_number));
    }
  }
  if (all.empty()) {
    throw Failure(
        fmt::format("{}: holds no report, expected what bench --json writes", one_line(path)));
  }
  return all;
}

const EarlierBench& choose_earlier(const std::vector<EarlierBench>& all,
                                   const BenchReport& report) {
  const auto is_same = [&](const EarlierBench& e) { return differences(e, report).empty(); };
  const auto found = std::find_if(all.rbegin(), all.rend(), is_same);
  return found == all.rend() ? all.back() : *found;
}

std::vector<std::string> differences(const EarlierBench& earlier, const BenchReport& report) {
  std::vector<std::string> found;
  if (earlier.model != model_name(report.model)) {
    found.push_back(fmt::format("note: the earlier model was {}, this is {}", earlier.model,
                                model_name(report.model)));
  }
  if (earlier.adapter != report.adapter.name) {
    found.push_back(fmt::format("note: the earlier adapter was {}, this is {}", earlier.adapter,
                                report.adapter.name));
  }
  return found;
}

}  // namespace cli
