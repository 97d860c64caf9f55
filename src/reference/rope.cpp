#include "reference/rope.h"

#include <cmath>

namespace handloom::reference {

void rope(Host& x, std::span<const uint32_t> positions, std::span<const float> inv_freq,
          uint32_t n_heads, uint32_t head_dim) {
  const size_t half = inv_freq.size();
  assert(positions.size() == x.n_rows());
  assert(2 * half <= head_dim && size_t{n_heads} * head_dim <= x.row_dim());

  for (size_t r = 0; r < positions.size(); ++r) {
    for (uint32_t h = 0; h < n_heads; ++h) {
      const std::span<float> head = x.row(r).subspan(size_t{h} * head_dim, head_dim);
      for (size_t i = 0; i < half; ++i) {
        const float angle = static_cast<float>(positions[r]) * inv_freq[i];
        const double cosine = std::cos(double{angle}), sine = std::sin(double{angle});
        const double a = head[i], b = head[i + half];
        head[i] = static_cast<float>(a * cosine - b * sine);
        head[i + half] = static_cast<float>(b * cosine + a * sine);
      }
    }
  }
}

}  // namespace handloom::reference
