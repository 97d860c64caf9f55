// The two sides of a tile of a product, in workgroup memory, and what they are filled with. The kernel
// declares tile (rows, and outputs), depth (vec4s staged at a time), x: array<vec4f>, params.rows,
// params.out_dim and params.in_dim4.
// uses: lib/weight_{weight}.wgsl

// Rows lie depth + 1 apart: those of a column start in different memory banks.
var<workgroup> x_tile: array<vec4f, tile * (depth + 1)>;
var<workgroup> weight_tile: array<vec4f, tile * (depth + 1)>;

fn staged(row: u32, column: u32) -> u32 {
  return row * (depth + 1) + column;
}

// Vec4 number k of a row of x, and of one of the weight. Outside the matrices it is zero.
fn x_at(row: u32, k: u32) -> vec4f {
  if (row < params.rows && k < params.in_dim4) {
    return x[row * params.in_dim4 + k];
  }
  return vec4f();
}

fn weight_at(output: u32, k: u32) -> vec4f {
  if (output < params.out_dim && k < params.in_dim4) {
    return weight4(output, k);
  }
  return vec4f();
}
