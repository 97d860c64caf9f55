#pragma once

#include "reference/host.h"

#include <span>

namespace handloom::reference {

/// Rotates the first `n_heads` heads of every row, in place (Su et al., "RoFormer", 2021, with the
/// half-split pairing of Hugging Face's rotate_half): in each head, dimension i turns together with
/// dimension i + inv_freq.size() by the angle positions[r] * inv_freq[i]. Dimensions from
/// 2 * inv_freq.size() on stay as they are.
///
///   x          [rows, at least n_heads * head_dim]; the fused qkv rows are
///              [q of n_heads | k of n_kv_heads | v of n_kv_heads], so q and k both turn with
///              `n_heads` = n_heads + n_kv_heads
///   positions  [rows]
///   inv_freq   [rope_dim / 2], rope_dim <= head_dim
///
/// The angle is the f32 product: models are trained with it, and at position 4000 it is 1e-4 from
/// the exact one. Sine, cosine and the rotation are computed in double.
void rope(Host& x, std::span<const uint32_t> positions, std::span<const float> inv_freq,
          uint32_t n_heads, uint32_t head_dim);

}  // namespace handloom::reference
