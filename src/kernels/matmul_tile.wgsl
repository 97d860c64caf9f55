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

const tile = 32u;  // rows and outputs of a tile
const depth = 8u;  // vec4s of the inner dimension staged at a time

// Rows lie depth + 1 apart: those of a column start in different memory banks.
var<workgroup> x_tile: array<vec4f, tile * (depth + 1)>;
var<workgroup> weight_tile: array<vec4f, tile * (depth + 1)>;

fn staged(row: u32, column: u32) -> u32 {
  return row * (depth + 1) + column;
}

@compute @workgroup_size(64)
fn matmul_tile(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_row = group.y * tile;
  let first_output = group.x * tile;
  let lane_row = lane / 8;     // this lane's rows of the tile: lane_row + 0, 8, 16, 24
  let lane_output = lane % 8;  // and its outputs, likewise

  // sums[i][j]: row lane_row + 8 * i, output lane_output + 8 * j
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();

  for (var k = 0u; k < params.in_dim4; k += depth) {
    // 64 lanes stage 32 x depth vec4s of each side; what lies outside the matrices is zero.
    for (var i = 0u; i < depth / 2; i++) {
      let r = (lane + 64 * i) / depth;
      let c = lane % depth;
      var x_part = vec4f();
      if (first_row + r < params.rows && k + c < params.in_dim4) {
        x_part = x[(first_row + r) * params.in_dim4 + k + c];
      }
      x_tile[staged(r, c)] = x_part;
      var weight_part = vec4f();
      if (first_output + r < params.out_dim && k + c < params.in_dim4) {
        weight_part = weight4(first_output + r, k + c);
      }
      weight_tile[staged(r, c)] = weight_part;
    }
    workgroupBarrier();

    for (var c = 0u; c < depth; c++) {
      let w0 = weight_tile[staged(lane_output + 0, c)];
      let w1 = weight_tile[staged(lane_output + 8, c)];
      let w2 = weight_tile[staged(lane_output + 16, c)];
      let w3 = weight_tile[staged(lane_output + 24, c)];
      let x0 = x_tile[staged(lane_row + 0, c)];
      let x1 = x_tile[staged(lane_row + 8, c)];
      let x2 = x_tile[staged(lane_row + 16, c)];
      let x3 = x_tile[staged(lane_row + 24, c)];
      sum0 += vec4f(dot(x0, w0), dot(x0, w1), dot(x0, w2), dot(x0, w3));
      sum1 += vec4f(dot(x1, w0), dot(x1, w1), dot(x1, w2), dot(x1, w3));
      sum2 += vec4f(dot(x2, w0), dot(x2, w1), dot(x2, w2), dot(x2, w3));
      sum3 += vec4f(dot(x3, w0), dot(x3, w1), dot(x3, w2), dot(x3, w3));
    }
    workgroupBarrier();  // before the next round overwrites the tiles
  }

  write_row(first_row + lane_row + 0, first_output + lane_output, sum0);
  write_row(first_row + lane_row + 8, first_output + lane_output, sum1);
  write_row(first_row + lane_row + 16, first_output + lane_output, sum2);
  write_row(first_row + lane_row + 24, first_output + lane_output, sum3);
}

fn write_row(row: u32, first_output: u32, sums: vec4f) {
  for (var j = 0u; j < 4u; j++) {
    let output = first_output + 8 * j;
    if (row < params.rows && output < params.out_dim) {
      y[row * params.y_dim + params.first_output + output] = sums[j];
    }
  }
}
