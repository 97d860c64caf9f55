// matmul_tile: y[r,n] = sum over k of x[r,k] * weight[n,k], for many rows r
//
//   binding  name    type         shape              access
//   0        x       vec4f        [rows, in_dim]     read
//   1        weight  weight_word  [out_dim, in_dim]  read   rows first_output.. of the whole weight
//   2        y       f32          [rows, y_dim]      write  columns first_output..
//   3        params  Params                          uniform
//
//   dispatch   (ceil(out_dim / 32), ceil(rows / 32), 1): one workgroup computes a 32 x 32 tile of y
//   requires   in_dim % 4 == 0
//   numerics   f32 products and sums of the dequantised weights; checked against reference/matmul.cpp
//   cost       2 * rows * out_dim * in_dim operations; each weight is read ceil(rows / 32) times
//
// variants: weight = f32 | f16 | bf16 | q4_0 | q4_1 | q5_0 | q5_1 | q8_0 | q2_k | q3_k | q4_k | q5_k | q6_k | iq4_nl | mxfp4 | mlc_q4 | mlc_q4f32 | mlc_q3 | int8_block
// uses: lib/tile_sides.wgsl

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

const tile = 32u;  // rows and outputs of a tile
const depth = 8u;  // vec4s of the inner dimension staged at a time

@compute @workgroup_size(256)
fn matmul_tile(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_row = group.y * tile;
  let first_output = group.x * tile;
  let lane_row = lane / 16;     // this lane's rows of the tile: lane_row + 0, 16
  let lane_output = lane % 16;  // and its outputs, likewise

  // A lane stages a vec4 of each side, and asks for the next before it multiplies.
  let my_row = lane / depth;
  let my_column = lane % depth;
  var x_part = x_at(first_row + my_row, my_column);
  var weight_part = weight_at(first_output + my_row, my_column);
  var sums = vec4f();  // of both rows with the first output, then with the second
  for (var k = depth; k < params.in_dim4 + depth; k += depth) {
    x_tile[staged(my_row, my_column)] = x_part;
    weight_tile[staged(my_row, my_column)] = weight_part;
    workgroupBarrier();
    x_part = x_at(first_row + my_row, k + my_column);
    weight_part = weight_at(first_output + my_row, k + my_column);

    for (var c = 0u; c < depth; c++) {
      let w0 = weight_tile[staged(lane_output, c)];
      let w1 = weight_tile[staged(lane_output + 16, c)];
      let x0 = x_tile[staged(lane_row, c)];
      let x1 = x_tile[staged(lane_row + 16, c)];
      sums += vec4f(dot(x0, w0), dot(x1, w0), dot(x0, w1), dot(x1, w1));
    }
    workgroupBarrier();  // before the next round overwrites the tiles
  }

  write_column(first_row + lane_row, first_output + lane_output, sums.xy);
  write_column(first_row + lane_row, first_output + lane_output + 16, sums.zw);
}

fn write_column(first_row: u32, output: u32, sums: vec2f) {
  for (var i = 0u; i < 2u; i++) {
    let row = first_row + 16 * i;
    if (row < params.rows && output < params.out_dim) {
      y[row * params.y_dim + params.first_output + output] = sums[i];
    }
  }
}
