// handloom dump: the activations of every named stage, into files.
#include "commands.h"
#include "failure.h"
#include "model.h"
#include "print.h"
#include "prompt.h"
#include "terminal.h"

#include <fmt/format.h>

namespace cli {

int execute(const DumpCommand& command) {
  const Prompt prompt = read_prompt(command.prompt);
  handloom::Engine engine = load_engine(command.model);
  const std::vector<uint32_t> ids = prompt_ids(prompt, engine.tokenizer());
  const auto tensors = take(engine.dump(ids, command.one_by_one));
  take(handloom::write_tensors(command.out, command.format, tensors));
  uint64_t n_values = 0;
  for (const handloom::HostTensor& tensor : tensors) n_values += tensor.values.size();
  write_stderr(fmt::format("wrote {} over {} ({}) to {}\n", count_text(tensors.size(), "tensor"),
                           count_text(ids.size(), "token"), bytes_text(n_values * sizeof(float)),
                           command.out));
  return 0;
}

}  // namespace cli
