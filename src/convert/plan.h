// The tensors of a file to be written, in its names, shapes, types and order.
#pragma once

#include "base/result.h"
#include "convert/out_tensor.h"
#include "convert/recipe.h"
#include "formats/weight_source.h"

#include <string>
#include <vector>

namespace handloom::convert {

struct PlanOptions {
  Recipe recipe = Recipe::f16;
  uint32_t block = 64;  // int8_block's
  /// gguf or hugging_face. In GGUF a Llama's queries and keys lie in pairs, Gemma's norms hold
  /// their 1, experts are stacked, and scaled rotations have tensors of divisors.
  formats::Naming naming = formats::Naming::gguf;
};

struct TensorPlan {
  std::vector<OutTensor> tensors;
  std::vector<std::string> notes;  // a sentence for each kind of matrix that got another type
};

/// Errors: those of WeightSource; unsupported for a checkpoint that is no float or quantised type.
Result<TensorPlan> plan_tensors(const formats::WeightSource& source, const PlanOptions& options);

}  // namespace handloom::convert
