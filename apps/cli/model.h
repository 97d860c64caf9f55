// Which model folder, and loading it with a progress bar.
#pragma once

#include "commands.h"

#include <handloom/handloom.h>

#include <string>
#include <vector>

namespace cli {

/// Where the starter model may lie, in order: HANDLOOM_STARTER alone if set, else beside the
/// program
/// (`program_folder`), else where this program was built.
std::vector<std::string> starter_candidates(const char* environment,
                                            const std::string& program_folder,
                                            const std::string& built_in);

/// `folder`, or the starter model's if empty. Throws Failure unless it is a folder.
std::string find_model(const std::string& folder);

/// The same choices for the library.
handloom::LoadOptions load_options(const ModelOptions& options);

/// The engine for `options`, with a progress bar on stderr where loading takes long.
handloom::Engine load_engine(const ModelOptions& options);
/// The same, or the reason why not.
handloom::Result<handloom::Engine> try_load_engine(const ModelOptions& options);

}  // namespace cli
