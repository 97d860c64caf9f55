// argv to a Command.
#pragma once

#include "commands.h"

#include <string>
#include <vector>

namespace cli {

/// `arguments` without the program's name. Throws Failure with kExitUsage in one sentence.
Command parse_command_line(const std::vector<std::string>& arguments);

}  // namespace cli
