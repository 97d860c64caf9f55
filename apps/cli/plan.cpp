// handloom plan: the recorded list of dispatches of one step.
#include "commands.h"
#include "failure.h"
#include "model.h"
#include "plan_text.h"
#include "terminal.h"

#include <nlohmann/json.hpp>

namespace cli {

int execute(const PlanCommand& command) {
  handloom::Engine engine = load_engine(command.model);
  const handloom::Plan plan =
      take(command.prefill ? engine.plan_prefill(*command.prefill)
                           : engine.plan_decode(command.context_length.value_or(100)));
  if (command.json) {
    write_stdout(plan_json(plan).dump(2) + "\n");
  } else {
    write_stdout(command.all ? full_plan_text(plan) : plan_text(plan));
  }
  return 0;
}

}  // namespace cli
