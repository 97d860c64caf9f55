#include "ops/project_cut.h"

#include <algorithm>

namespace handloom::ops {
namespace {

/// `unit`: rows of an output.
Cut cut_of(const gpu::Encoder& enc, const ProjectForm& form, uint32_t n_outputs,
           uint32_t most_outputs, uint32_t unit) {
  const AdapterInfo& adapter = enc.device().adapter();
  Cut cut = {.workgroup_size = form.workgroup_size,
             .n_outputs = std::min(form.n_outputs, most_outputs)};
  uint32_t parts_per_team = 1;
  if (form.subgroups) {
    const uint32_t team = std::max(1u, enc.features().min_subgroup_size);
    const bool is_wide =
        n_outputs < form.wide_below && 2 * kBlock * team <= adapter.limits.max_invocations;
    if (is_wide) {
      parts_per_team = 2;
      cut.n_outputs = kBlock;
    }
    const uint32_t needed = parts_per_team * cut.n_outputs * team;
    if (is_wide || needed < cut.workgroup_size) cut.workgroup_size = needed;
    cut.constants.push_back({"parts_per_team", static_cast<double>(parts_per_team)});
  }
  const bool takes_four =
      form.rows_at_once == 4 && parts_per_team == 1 && unit * n_outputs % 4 == 0;
  const uint32_t rows_at_once = takes_four ? 4 : unit;
  const uint32_t rounds = team_rounds(enc, reduce_variant(form), cut.workgroup_size,
                                      unit * cut.n_outputs / rows_at_once, parts_per_team);
  cut.constants.push_back({"rounds", static_cast<double>(rounds)});
  cut.constants.push_back({"rows_at_once", static_cast<double>(rows_at_once)});
  cut.constants.push_back({"workgroup_size", static_cast<double>(cut.workgroup_size)});
  return cut;
}

}  // namespace

kernels::Reduce reduce_variant(const ProjectForm& form) {
  return form.subgroups ? kernels::Reduce::subgroup : kernels::Reduce::tree;
}

Cut cut_for(const gpu::Encoder& enc, const ProjectForm& form, uint32_t n_outputs,
            uint32_t rows_per_output) {
  Cut cut = cut_of(enc, form, n_outputs, form.n_outputs, rows_per_output);
  cut.constants.push_back({"outputs_per_workgroup", static_cast<double>(cut.n_outputs)});
  return cut;
}

Cut cut_for_pairs(const gpu::Encoder& enc, const ProjectForm& form, uint32_t n_pairs) {
  return cut_of(enc, form, n_pairs, kBlock, 2);
}

kernels::Act act_variant(InputFormat format) {
  switch (act_of(format)) {
    case Act::f16: return kernels::Act::f16;
    case Act::int8: return kernels::Act::int8;
    default: return kernels::Act::f32;
  }
}

uint64_t input_bytes(const Input& input) { return bytes_of(input.format, input.dim); }

gpu::Constant stored_as(const Input& next) {
  return {"next_format", static_cast<double>(next.format)};
}

bool check_input(gpu::Encoder& enc, std::string_view op, const Input& input, const Matrix& weight) {
  for (const Matrix::Part& part : weight.parts) {
    if (is_possible(input.form, enc.device().adapter(), enc.features(), part.tensor.dtype))
      continue;
    enc.fail(fmt::format("{}: weight '{}' is to be read in a form that the device cannot run", op,
                         part.tensor.name));
    return false;
  }
  if (!check_multiple(enc, op, "in_dim", input.dim, multiple_of(input.format))) return false;
  const Act act = act_of(input.format);
  if (act == Act::f32 || format_for(weight, act) == input.format) return true;
  enc.fail(fmt::format("{}: the input is in {}, which weight '{}' cannot read", op,
                       act == Act::int8 ? "8 bits" : "16 bits", weight.parts[0].tensor.name));
  return false;
}

}  // namespace handloom::ops
