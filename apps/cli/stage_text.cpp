#include "stage_text.h"

#include <fmt/format.h>

namespace cli {

std::string stage_heading() {
  return fmt::format("{:<36} {:>10} {:>10} {:>10}\n", "stage", "max error", "mean error",
                     "tolerance");
}

std::string stage_row(const handloom::StageReport& stage) {
  return fmt::format("{:<36} {:>10.2e} {:>10.2e} {:>10.2e}  {}\n", stage.name, stage.max_error,
                     stage.mean_error, stage.tolerance, stage.passed ? "ok" : "FAILED");
}

}  // namespace cli
