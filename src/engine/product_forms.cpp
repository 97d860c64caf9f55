#include "engine/product_forms.h"

namespace handloom::engine {

std::set<DType> matrix_types(const formats::Checkpoint& checkpoint, model::WeightStorage storage) {
  std::set<DType> types;
  for (const formats::TensorInfo& tensor : checkpoint.tensors()) {
    if (tensor.shape.rank() >= 2) types.insert(model::stored_dtype(tensor, storage));
  }
  return types;
}

Result<ops::ProjectForms> product_forms(const LoadOptions& options, const gpu::Device& device) {
  const std::string& matvec = options.matvec;
  if (!matvec.empty() && matvec != "f32" && matvec != "int8") {
    return fail(ErrorCode::invalid_argument, "engine: matvec is '{}', expected f32 or int8",
                matvec);
  }
  ops::ProjectForms forms;
  for (const DType weight : kDTypes) {
    ops::ProjectForm form = ops::form_by_rule(device.adapter(), device.features(), weight);
    if (!matvec.empty()) {
      const bool is_int8 = matvec == "int8" && ops::takes_int8(weight);
      form.act = is_int8 ? ops::Act::int8 : ops::Act::f32;
    }
    forms.set(weight, form);
  }
  return forms;
}

}  // namespace handloom::engine
