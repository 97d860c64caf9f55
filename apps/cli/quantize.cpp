// handloom quantize: a model into another file, with other types of weights.
#include "commands.h"
#include "failure.h"
#include "inspect_text.h"
#include "progress.h"
#include "terminal.h"

#include <fmt/format.h>

namespace cli {
namespace {

/// What the model becomes, with a bar while it takes long.
handloom::Result<handloom::QuantiseReport> quantise(const QuantizeCommand& command) {
  ProgressBar bar(stderr_is_terminal());
  handloom::QuantiseOptions options;
  options.type = command.type;
  options.block = command.block;
  options.overwrite = command.force;
  options.on_progress = [&](const handloom::LoadProgress& progress) {
    bar.update(progress);
    return !interrupted();
  };
  return handloom::quantise_model(command.in, command.out, options);
}

}  // namespace

int execute(const QuantizeCommand& command) {
  catch_interrupt();
  handloom::Result<handloom::QuantiseReport> result = quantise(command);
  if (!result && interrupted()) {
    throw Failure("quantize: interrupted, nothing is written", kExitInterrupted);
  }
  const handloom::QuantiseReport report = take(std::move(result));
  for (const std::string& note : report.notes) write_stderr("note: " + one_line(note) + "\n");
  write_stdout(quantise_text(command.out, command.type, report));
  return 0;
}

}  // namespace cli
