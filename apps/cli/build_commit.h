// The commit that this program was built from; cmake/commit.cmake writes the answer.
#pragma once

#include <string_view>

namespace cli {

/// "892cfa2", with "-dirty" if something was not committed; "unknown" if built outside git.
std::string_view build_commit();

}  // namespace cli
