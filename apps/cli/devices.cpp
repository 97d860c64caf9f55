// handloom devices: what adapters there are, what they can, and which one handloom would use.
#include "commands.h"
#include "devices_text.h"
#include "failure.h"
#include "terminal.h"

#include <nlohmann/json.hpp>

namespace cli {

int execute(const DevicesCommand& command) {
  const handloom::AdapterChoice choice = take(handloom::list_adapters());
  write_stdout(command.json ? devices_json(choice).dump(2) + "\n" : devices_text(choice));
  return 0;
}

}  // namespace cli
