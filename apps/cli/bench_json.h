// A bench report as JSON, for bench/results and --compare.
#pragma once

#include "bench_report.h"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace cli {

nlohmann::ordered_json bench_json(const BenchReport& report);

/// "phi-3-mini-q4_0.gguf": the last part of the model's path.
std::string model_name(const handloom::ModelInfo& model);

}  // namespace cli
