// Which form the matrix products of decode steps take (ops/project_form.h).
#pragma once

#include "base/result.h"
#include "formats/checkpoint.h"
#include "gpu/device.h"
#include "model/upload.h"
#include "engine/tuning.h"
#include "ops/project_form.h"

#include <handloom/handloom.h>

#include <set>

namespace handloom::engine {

/// The types that the matrices of a checkpoint have on the GPU.
std::set<DType> matrix_types(const formats::Checkpoint& checkpoint, model::WeightStorage storage);

struct ProductForms {
  ops::ProjectForms forms;
  Tuned tuned;
};

/// What `options` ask for; what they leave open as measured for these types of weights, or by rule.
/// Error: invalid_argument for activations of a kind that there is not.
Result<ProductForms> product_forms(const LoadOptions& options, const gpu::Device& device,
                                   const std::set<DType>& weights);

/// The same for people.
ProductForm describe(DType weight, const ops::ProjectForm& form, bool is_measured);

}  // namespace handloom::engine
