// How attention heads lie in a row of qkv: query heads, key heads, value heads, each head_dim wide.
#pragma once

#include <cstdint>

namespace handloom::ops {

struct Heads {
  uint32_t n_heads = 0;
  uint32_t n_kv_heads = 0;  // divides n_heads
  uint32_t head_dim = 0;    // a multiple of 4, at most 256

  uint32_t row_dim() const { return (n_heads + 2 * n_kv_heads) * head_dim; }
};

}  // namespace handloom::ops
