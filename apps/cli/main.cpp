// handloom: the program. Every command ends here, with its exit code or with one sentence on
// stderr.
#include "command_line.h"
#include "commands.h"
#include "failure.h"
#include "terminal.h"

#include <exception>
#include <new>
#include <string>
#include <variant>
#include <vector>

namespace cli {

int execute(const PrintText& command) {
  write_stdout(command.text);
  return 0;
}

}  // namespace cli

int main(int argc, char** argv) {
  cli::ignore_closed_pipes();
  const auto end_with = [](const std::string& sentence, int exit_code) {
    cli::write_stderr("handloom: " + cli::one_line(sentence) + "\n");
    return exit_code;
  };
  try {
    const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    return std::visit([](const auto& command) { return cli::execute(command); },
                      cli::parse_command_line(arguments));
  } catch (const cli::Failure& failure) {
    return end_with(failure.what(), failure.exit_code());
  } catch (const std::bad_alloc&) {
    return end_with("memory: the system has no more, expected room for the model's file and text",
                    cli::kExitFailure);
  } catch (const std::exception& error) {
    return end_with(std::string("internal: ") + error.what(), cli::kExitFailure);
  }
}
