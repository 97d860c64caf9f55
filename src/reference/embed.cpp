#include "reference/embed.h"

#include <algorithm>

namespace handloom::reference {

Host embed(std::span<const uint32_t> token_ids, const Host& token_embd, float scale) {
  Host y({static_cast<uint32_t>(token_ids.size()), token_embd.dim(1)});
  for (size_t r = 0; r < token_ids.size(); ++r) {
    const std::span<const float> row = token_embd.row(token_ids[r]);
    std::ranges::transform(row, y.row(r).begin(), [scale](float value) { return scale * value; });
  }
  return y;
}

}  // namespace handloom::reference
