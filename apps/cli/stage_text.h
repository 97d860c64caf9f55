// The table that `verify` prints, a row at a time.
#pragma once

#include <handloom/handloom.h>

#include <string>

namespace cli {

std::string stage_heading();
std::string stage_row(const handloom::StageReport& stage);

}  // namespace cli
