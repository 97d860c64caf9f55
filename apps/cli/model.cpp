#include "model.h"

#include "failure.h"
#include "print.h"
#include "progress.h"
#include "terminal.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

namespace cli {
namespace {

std::string find_starter() {
  const char* environment = std::getenv("HANDLOOM_STARTER");
  const auto candidates = starter_candidates(environment, program_folder(), HANDLOOM_STARTER_DIR);
  std::error_code ignored;
  for (const std::string& folder : candidates) {
    if (std::filesystem::is_directory(folder, ignored)) return folder;
  }
  throw Failure(
      fmt::format("model: the starter model is in none of {}, expected one of them; give a "
                  "model with --model PATH",
                  join(candidates, ", ")));
}

}  // namespace

std::vector<std::string> starter_candidates(const char* environment,
                                            const std::string& program_folder,
                                            const std::string& built_in) {
  if (environment != nullptr && *environment != '\0') return {environment};
  if (program_folder.empty()) return {built_in};
  return {program_folder + "/models/starter", program_folder + "/../models/starter",
          program_folder + "/../share/handloom/starter", built_in};
}

std::string find_model(const std::string& folder) {
  if (folder.empty()) return find_starter();
  std::error_code error;
  const auto status = std::filesystem::status(folder, error);
  if (!std::filesystem::exists(status)) {
    throw Failure(fmt::format("model: '{}' is not there, expected a model folder or a .gguf file",
                              one_line(folder)));
  }
  return folder;
}

handloom::LoadOptions load_options(const ModelOptions& options) {
  handloom::LoadOptions load;
  load.adapter = options.adapter;
  load.precision = options.precision;
  load.context = options.context;
  load.kv = options.kv;
  load.kv_spill = options.kv_spill;
  load.memory_budget = options.memory_budget;
  load.plan = options.plan;
  load.matvec = options.matvec;
  load.subgroups = options.subgroups;
  load.tune = options.tune;
  load.on_notice = [](std::string_view notice) { write_stderr(std::string(notice) + "\n"); };
  return load;
}

handloom::Engine load_engine(const ModelOptions& options) { return take(try_load_engine(options)); }

handloom::Result<handloom::Engine> try_load_engine(const ModelOptions& options) {
  ProgressBar bar(stderr_is_terminal());
  handloom::LoadOptions load = load_options(options);
  load.on_progress = [&](const handloom::LoadProgress& progress) { bar.update(progress); };
  return handloom::Engine::load(find_model(options.folder), load);
}

}  // namespace cli
