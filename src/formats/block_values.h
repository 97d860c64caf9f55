// GGUF's blocks, in which codes and scales lie together.
//
// Every product here is exact in f32. d is an f16, which has 11 significant bits; a block's own
// scale has at most 7 and a code at most 7 (128 and 32 are powers of two), but not both: the widest
// is Q6_K's (d * sc) * q with 11 + 7 + 5 = 23 bits, and an f32 holds 24. The least product, 2^-24,
// and the greatest, 65504 * 128 * 32, are normal numbers. So (d * sc) * q rounds nowhere, and what
// subtracts or adds a minimum rounds once, whether or not a GPU contracts it to an fma: all get the
// same bits. MXFP4's scale is a power of two, and only its extreme ones leave f32's normal range.
#pragma once

#include "base/dtype.h"

#include <cstdint>

namespace handloom::formats {

/// The block_size(dtype).values values of one block. Any type from q4_0 to mxfp4; `block` may have
/// any alignment.
void block_values(DType dtype, const uint8_t* block, float* out);

/// Q4_K and Q5_K press eight scales and eight minima of 6 bits into 12 bytes: of the first four the
/// bytes 0-3 and 4-7 have them whole, of the last four the bytes 8-11 have 4 bits of each and the
/// top of bytes 0-3 and 4-7 the other 2.
struct ScaleAndMinimum {
  uint32_t scale, minimum;
};
ScaleAndMinimum k_scale(const uint8_t* packed, uint32_t sub_block);

/// What the 16 codes of IQ4_NL stand for.
inline constexpr int8_t kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                          1,    13,   25,  38,  53,  69,  89,  113};

/// What the 16 codes of MXFP4 (e2m1) stand for, doubled: a sign and 0, 0.5, 1, 1.5, 2, 3, 4, 6.
inline constexpr int8_t kE2m1Doubled[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                            0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace handloom::formats
