// handloom verify: every stage of a model against the reference in its folder.
#include "commands.h"
#include "failure.h"
#include "model.h"
#include "print.h"
#include "stage_text.h"
#include "terminal.h"

#include <fmt/format.h>

namespace cli {

int execute(const VerifyCommand& command) {
  const handloom::LoadOptions load = load_options(command.model);
  // on_stage must not throw: a closed stdout is kept and told at the end.
  std::optional<Failure> closed;
  handloom::StageReport last;
  size_t n_stages = 0;
  const auto on_stage = [&](const handloom::StageReport& stage) {
    last = stage;
    try {
      if (!closed) write_stdout((n_stages == 0 ? stage_heading() : "") + stage_row(stage));
    } catch (const Failure& failure) {
      closed = failure;
    }
    ++n_stages;
  };
  const bool passed = take(handloom::verify_folder(find_model(command.model.folder), load, on_stage,
                                                   command.model_path));
  if (closed) throw *closed;
  if (!passed) {
    throw Failure(
        fmt::format("verify: stage '{}' has a largest error of {:.2e}, expected at most "
                    "{:.2e}",
                    last.name, last.max_error, last.tolerance));
  }
  if (n_stages == 0) throw Failure("verify: 0 stages were compared, expected at least 1");
  write_stdout(fmt::format("all {} passed\n", count_text(n_stages, "stage")));
  return 0;
}

}  // namespace cli
