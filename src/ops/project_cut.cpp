#include "ops/project_cut.h"

#include "ops/sharing.h"

#include <algorithm>
#include <bit>

namespace handloom::ops {
namespace {

/// Invocations of a subgroup that the device has at least, and whether it has no other.
struct Lanes {
  uint32_t least = 1;
  bool is_known = false;
};

Lanes lanes_of(const gpu::Encoder& enc) {
  const uint32_t least = std::max(1u, enc.features().min_subgroup_size);
  return {.least = least, .is_known = least == enc.device().adapter().features.max_subgroup_size};
}

/// Turns that a row takes, of all lanes together.
uint32_t turns_of(const Input& input) { return input.dim / values_per_turn(input.format); }

bool is_wide(const gpu::Encoder& enc, const Input& input, uint32_t n_outputs) {
  const uint32_t team = 2 * lanes_of(enc).least;
  return input.form.subgroups && n_outputs < input.form.wide_below &&
         kBlock * team <= enc.device().adapter().limits.max_invocations &&
         turns_of(input) % team == 0;
}

void add_shape(Cut& cut, const Input& input, const PlaneLayout& layout) {
  cut.constants.push_back({"known_in_dim4", static_cast<double>(input.dim / 4)});
  cut.constants.push_back({"known_scales_at", static_cast<double>(layout.at(Plane::scales))});
  cut.constants.push_back({"known_supers_at", static_cast<double>(layout.at(Plane::supers))});
  cut.constants.push_back({"known_high_at", static_cast<double>(layout.at(Plane::high))});
  cut.constants.push_back({"known_group4", static_cast<double>(layout.group / 4)});
}

void add_constants(Cut& cut, const gpu::Encoder& enc, const Input& input, const Matrix::Part& part,
                   uint32_t rows_per_output, uint32_t parts_per_team) {
  const ProjectForm& form = input.form;
  const bool takes_four = form.rows_at_once == 4 && parts_per_team == 1 && part.n_rows() % 4 == 0;
  const uint32_t rows_at_once = takes_four ? 4 : rows_per_output;
  const Lanes lanes = lanes_of(enc);
  const bool in_fours =
      form.subgroups && lanes.is_known && turns_of(input) % (4 * parts_per_team * lanes.least) == 0;
  const uint32_t rounds =
      team_rounds(enc, reduce_variant(form), cut.workgroup_size,
                  rows_per_output * cut.n_outputs / rows_at_once, parts_per_team);
  if (form.subgroups) {
    cut.constants.push_back({"parts_per_team", static_cast<double>(parts_per_team)});
  }
  cut.constants.push_back({"turns_at_once", in_fours ? 4.0 : 1.0});
  cut.constants.push_back({"rounds", static_cast<double>(rounds)});
  cut.constants.push_back({"rows_at_once", static_cast<double>(rows_at_once)});
  cut.constants.push_back({"workgroup_size", static_cast<double>(cut.workgroup_size)});
  cut.constants.push_back({"outputs_per_workgroup", static_cast<double>(cut.n_outputs)});
  if (form.knows_shape) add_shape(cut, input, part.layout());
}

}  // namespace

kernels::Reduce reduce_variant(const ProjectForm& form) {
  return form.subgroups ? kernels::Reduce::subgroup : kernels::Reduce::tree;
}

Cut cut_for(const gpu::Encoder& enc, const Input& input, const Matrix::Part& part,
            uint32_t rows_per_output) {
  const ProjectForm& form = input.form;
  const bool wide = is_wide(enc, input, part.n_rows() / rows_per_output);
  const uint32_t parts_per_team = wide ? 2 : 1;
  Cut cut = {.workgroup_size = form.workgroup_size, .n_outputs = wide ? kBlock : form.n_outputs};
  const uint32_t needed = parts_per_team * cut.n_outputs * lanes_of(enc).least;
  if (form.subgroups && (wide || needed < cut.workgroup_size)) cut.workgroup_size = needed;
  add_constants(cut, enc, input, part, rows_per_output, parts_per_team);
  return cut;
}

Cut cut_in_few(const gpu::Encoder& enc, const Input& input, const Matrix::Part& part) {
  if (!input.form.subgroups) return cut_for(enc, input, part);
  const uint32_t parts_per_team = is_wide(enc, input, part.n_rows()) ? 2 : 1;
  const uint32_t team = parts_per_team * lanes_of(enc).least;
  const uint32_t most = enc.device().adapter().limits.max_invocations / team;
  Cut cut = {.n_outputs = std::clamp(std::bit_floor(most), kBlock, 4 * kBlock)};
  cut.workgroup_size = std::min(cut.n_outputs, most) * team;
  add_constants(cut, enc, input, part, 1, parts_per_team);
  return cut;
}

Cut cut_by_rows(const gpu::Encoder& enc, const Input& input, const Matrix::Part& part,
                uint32_t n_rows) {
  Cut cut = {.workgroup_size = lanes_workgroup(enc), .n_outputs = n_rows};
  add_constants(cut, enc, input, part, 1, 1);
  return cut;
}

kernels::Act act_variant(InputFormat format) {
  switch (act_of(format)) {
    case Act::f16: return kernels::Act::f16;
    case Act::int8: return kernels::Act::int8;
    default: return kernels::Act::f32;
  }
}

uint64_t input_bytes(const Input& input) { return bytes_of(input.format, input.dim); }

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
