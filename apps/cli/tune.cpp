// handloom tune: which form of the decode steps' products is fastest on a device.
#include "commands.h"
#include "failure.h"
#include "terminal.h"
#include "tune_text.h"

namespace cli {

int execute(const TuneCommand& command) {
  const handloom::TuningReport report = take(handloom::tune_device(command.adapter));
  write_stdout(tune_text(report));
  for (const std::string& notice : report.notices) write_stderr(notice + "\n");
  return 0;
}

}  // namespace cli
