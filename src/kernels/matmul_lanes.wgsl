// matmul_lanes: y[r,n] = sum over k of x[r,k] * weight[n,k], for many rows r, each lane by itself
//
//   binding  name    type         shape              access
//   0        x       vec4f        [rows, in_dim]     read
//   1        weight  weight_word  [out_dim, in_dim]  read   rows first_output.. of the whole weight
//   2        y       f32          [rows, y_dim]      write  columns first_output..
//   3        params  Params                          uniform
//
//   dispatch   (ceil(out_dim / (4 * workgroup_size)), ceil(rows / 4), 1): a lane computes four outputs of
//              four rows
//   requires   in_dim % 4 == 0
//   numerics   f32 products and sums of the dequantised weights; checked against reference/matmul.cpp
//   cost       2 * rows * out_dim * in_dim operations; each weight is read ceil(rows / 4) times
//
// For software adapters, on which workgroup memory and barriers cost more than what matmul_tile.wgsl
// saves by them. All lanes load the same of x at once.
//
// variants: weight = f32 | f16 | bf16 | q4_0 | q4_1 | q5_0 | q5_1 | q8_0 | q2_k | q3_k | q4_k | q5_k | q6_k | iq4_nl | mxfp4 | mlc_q4 | mlc_q4f32 | mlc_q3 | int8_block
// uses: lib/weight_{weight}.wgsl

struct Params {
  rows: u32,
  out_dim: u32,       // rows of this part of the weight
  in_dim4: u32,       // in_dim / 4
  y_dim: u32,         // outputs of the whole weight
  first_output: u32,  // those of the parts before
  scales_at: u32,     // where the planes of a quantised weight begin, in words
  supers_at: u32,
  high_at: u32,
  group4: u32,        // values that share a scale, / 4
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<weight_word>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

override workgroup_size: u32 = 8;

// Where a row of x begins; for one that is not there, the last one.
fn begin_of(row: u32) -> u32 {
  return min(row, params.rows - 1) * params.in_dim4;
}

@compute @workgroup_size(workgroup_size)
fn matmul_lanes(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = 4 * group.y;
  let x0 = begin_of(row);
  let x1 = begin_of(row + 1);
  let x2 = begin_of(row + 2);
  let x3 = begin_of(row + 3);
  // Neighbouring lanes own neighbouring outputs; one that is not there reads the last one's weights.
  let outputs = (4 * group.x + vec4u(0, 1, 2, 3)) * workgroup_size + lane;
  let weight_rows = min(outputs, vec4u(params.out_dim - 1));

  // sums[i][j]: row i, output j
  var sums0 = vec4f();
  var sums1 = vec4f();
  var sums2 = vec4f();
  var sums3 = vec4f();
  for (var k = 0u; k < params.in_dim4; k++) {
    let w0 = weight4(weight_rows.x, k);
    let w1 = weight4(weight_rows.y, k);
    let w2 = weight4(weight_rows.z, k);
    let w3 = weight4(weight_rows.w, k);
    let row0 = x[x0 + k];
    let row1 = x[x1 + k];
    let row2 = x[x2 + k];
    let row3 = x[x3 + k];
    sums0 += vec4f(dot(row0, w0), dot(row0, w1), dot(row0, w2), dot(row0, w3));
    sums1 += vec4f(dot(row1, w0), dot(row1, w1), dot(row1, w2), dot(row1, w3));
    sums2 += vec4f(dot(row2, w0), dot(row2, w1), dot(row2, w2), dot(row2, w3));
    sums3 += vec4f(dot(row3, w0), dot(row3, w1), dot(row3, w2), dot(row3, w3));
  }

  write_row(row, outputs, sums0);
  write_row(row + 1, outputs, sums1);
  write_row(row + 2, outputs, sums2);
  write_row(row + 3, outputs, sums3);
}

fn write_row(row: u32, outputs: vec4u, sums: vec4f) {
  for (var j = 0u; j < 4u; j++) {
    if (row < params.rows && outputs[j] < params.out_dim) {
      y[row * params.y_dim + params.first_output + outputs[j]] = sums[j];
    }
  }
}
