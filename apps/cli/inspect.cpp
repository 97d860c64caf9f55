// handloom inspect: what the files of a model say, without a GPU.
#include "commands.h"
#include "failure.h"
#include "inspect_text.h"
#include "terminal.h"

#include <nlohmann/json.hpp>

namespace cli {

int execute(const InspectCommand& command) {
  const handloom::Inspection found =
      take(handloom::inspect_model(command.path, command.context.value_or(0)));
  // What a file holds need not be UTF-8.
  constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
  write_stdout(command.json ? inspection_json(found).dump(2, ' ', false, kReplace) + "\n"
                            : inspection_text(found));
  return 0;
}

}  // namespace cli
