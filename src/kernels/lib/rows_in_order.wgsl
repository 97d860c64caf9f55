// The rows of a workgroup (lib/row_sums.wgsl) where each is an output. The kernel declares
// outputs_per_workgroup and params.out_dim, and gets the product with row i of the workgroup in row_sum(i).
// uses: lib/row_sums.wgsl

override rows_per_workgroup: u32 = outputs_per_workgroup;

fn rows_from(group: u32, i: u32) -> vec4u {
  return group * outputs_per_workgroup + i + vec4u(0, 1, 2, 3);
}

fn rows_here(group: u32) -> u32 {
  return min(outputs_per_workgroup, params.out_dim - group * outputs_per_workgroup);
}
