// What the tiles of a product are filled with: vec4 number k of a row of x, and of one of the weight.
// Outside the matrices it is zero. The kernel declares x: array<vec4f>, params.rows, params.out_dim and
// params.in_dim4.
// uses: lib/weight_{weight}.wgsl

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
