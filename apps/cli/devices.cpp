// handloom devices: what adapters there are, what they can, and which one handloom would use.
#include "commands.h"
#include "devices_text.h"
#include "failure.h"
#include "terminal.h"

#include <nlohmann/json.hpp>

namespace cli {

int execute(const DevicesCommand& command) {
  const handloom::AdapterChoice choice = take(handloom::list_adapters());
  std::vector<AdapterTuning> tuning;
  for (const handloom::AdapterInfo& adapter : choice.adapters) {
    auto stored = handloom::stored_tuning(adapter);
    tuning.push_back(stored ? AdapterTuning{.forms = std::move(*stored)}
                            : AdapterTuning{.problem = stored.error().message});
  }
  write_stdout(command.json ? devices_json(choice, tuning).dump(2) + "\n"
                            : devices_text(choice, tuning));
  return 0;
}

}  // namespace cli
