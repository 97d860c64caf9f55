// A truth for each of many. std::vector<bool> packs them, with code of its own that a page would
// fetch.
#pragma once

#include <cstdint>
#include <vector>

namespace handloom {

using Flags = std::vector<uint8_t>;

}  // namespace handloom
