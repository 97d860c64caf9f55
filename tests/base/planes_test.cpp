// Where the planes of a weight lie.
#include "base/planes.h"

#include <gtest/gtest.h>

namespace handloom {
namespace {

TEST(Planes, OfAQuantisedTypeEndWithAWholeVec4) {
  // Kernels read them as vec4u; a browser lets them read no part of one.
  for (const DType dtype : kDTypes) {
    if (!is_quantised(dtype) || gpu_dtype(dtype) != dtype) continue;
    for (uint32_t rows = 1; rows <= 9; ++rows) {
      EXPECT_EQ(plane_layout(dtype, rows, 256).bytes() % 16, 0u) << to_string(dtype) << " " << rows;
    }
  }
}

}  // namespace
}  // namespace handloom
