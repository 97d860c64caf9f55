// Where the tests' data lie: as built, or as the environment says (a test run on another machine).
#pragma once

#include <cstdlib>
#include <string>

namespace handloom {

inline std::string golden_dir() {
  const char* moved = std::getenv("HANDLOOM_GOLDEN");
  return moved != nullptr ? moved : HANDLOOM_GOLDEN_DIR;
}

inline std::string starter_dir() {
  const char* moved = std::getenv("HANDLOOM_STARTER");
  return moved != nullptr ? moved : HANDLOOM_STARTER_DIR;
}

}  // namespace handloom
