#include "engine/product_forms.h"

#include <algorithm>

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
  const auto asked = std::ranges::find(ops::kActs, matvec, [](ops::Act a) { return to_string(a); });
  if (!matvec.empty() && asked == std::end(ops::kActs)) {
    return fail(ErrorCode::invalid_argument, "engine: matvec is '{}', expected f32, f16 or int8",
                matvec);
  }
  if (!matvec.empty() && *asked == ops::Act::f16 && !device.features().f16) {
    return fail(ErrorCode::unsupported,
                "engine: matvec f16 needs shader-f16, which '{}' lacks; use f32 or int8",
                device.adapter().name);
  }
  ProductForms chosen;
  for (const DType weight : kDTypes) {
    ops::ProjectForm form = ops::form_by_rule(device.adapter(), device.features(), weight);
    if (!matvec.empty()) {
      form.act = ops::takes(weight, *asked) ? *asked : ops::Act::f32;
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
          .act = std::string(to_string(form.act)),
          .subgroups = form.subgroups,
          .workgroup_size = form.workgroup_size,
          .n_outputs = form.n_outputs,
          .rows_at_once = form.rows_at_once,
          .wide_below = form.wide_below,
          .knows_shape = form.knows_shape,
          .is_measured = is_measured};
}

}  // namespace handloom::engine
