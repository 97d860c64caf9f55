#include "engine/product_forms.h"

namespace handloom::engine {

std::set<DType> matrix_types(const formats::Checkpoint& checkpoint, model::WeightStorage storage) {
  std::set<DType> types;
  for (const formats::TensorInfo& tensor : checkpoint.tensors()) {
    if (tensor.shape.rank() < 2 || !(is_float(tensor.dtype) || is_quantised(tensor.dtype)))
      continue;
    types.insert(model::stored_dtype(tensor, storage));
  }
  return types;
}

Result<ProductForms> product_forms(const LoadOptions& options, const gpu::Device& device,
                                   const std::set<DType>& weights) {
  const std::string& matvec = options.matvec;
  if (!matvec.empty() && matvec != "f32" && matvec != "int8") {
    return fail(ErrorCode::invalid_argument, "engine: matvec is '{}', expected f32 or int8",
                matvec);
  }
  ProductForms chosen;
  for (const DType weight : kDTypes) {
    ops::ProjectForm form = ops::form_by_rule(device.adapter(), device.features(), weight);
    if (!matvec.empty()) {
      const bool is_int8 = matvec == "int8" && ops::takes_int8(weight);
      form.act = is_int8 ? ops::Act::int8 : ops::Act::f32;
    }
    chosen.forms.set(weight, form);
  }
  const bool is_asked_for = !matvec.empty() || options.subgroups.has_value();
  if (options.tune == Tune::automatic && options.plan != PlanKind::plain && !is_asked_for) {
    chosen.tuned = use_measured_forms(options, device.adapter(), weights, chosen.forms);
  }
  return chosen;
}

ProductForm describe(DType weight, const ops::ProjectForm& form, bool is_measured) {
  return {.weight = std::string(to_string(weight)),
          .act = form.act == ops::Act::int8 ? "int8" : "f32",
          .subgroups = form.subgroups,
          .workgroup_size = form.workgroup_size,
          .n_outputs = form.n_outputs,
          .is_measured = is_measured};
}

}  // namespace handloom::engine
