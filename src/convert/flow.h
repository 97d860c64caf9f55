// The forward pass of a model as an outline that a person can read.
#pragma once

#include "formats/weight_source.h"

#include <handloom/handloom.h>

#include <vector>

namespace handloom::convert {

/// From the embedding to the logits. Shapes are [out_dim, in_dim], types as in the files.
std::vector<FlowStep> flow_of(const formats::WeightSource& source);

}  // namespace handloom::convert
