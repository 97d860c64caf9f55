// What a model's numbers may be, whichever file states them: beyond what anyone has published, and
// small enough that products of a few fit in 64 bits.
#pragma once

#include "formats/fields.h"

#include <cstdint>

namespace handloom::formats {

inline constexpr uint32_t kMaxModelDim = 65536;
inline constexpr uint32_t kMaxFfnDim = 1u << 20;
inline constexpr uint32_t kMaxLayers = 1000;
inline constexpr uint32_t kMaxHeads = 1024;
inline constexpr uint32_t kMaxHeadDim = 1024;
inline constexpr uint32_t kMaxVocabSize = 1u << 24;
inline constexpr uint32_t kMaxSeqLen = 1u << 24;
inline constexpr uint32_t kMaxWindow = 1u << 24;
inline constexpr uint32_t kMaxExperts = 4096;
inline constexpr uint32_t kMaxExpertFfnDim = 1u << 20;

inline constexpr Range kNormEps{.low = 0, .high = 0.01, .low_open = true};
inline constexpr Range kSoftcap{.low = 0, .high = 1e6, .low_open = true};
inline constexpr Range kTheta{.low = 1, .high = 1e12, .low_open = true};
inline constexpr Range kRopeFactor{.low = 1, .high = 1e6};
inline constexpr Range kRopeDivisor{.low = 1e-6, .high = 1e6};  // of one frequency
inline constexpr Range kAttentionFactor{.low = 0, .high = 100, .low_open = true};

}  // namespace handloom::formats
