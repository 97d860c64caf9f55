// matmul_wide: y[r,n] = sum over k of x[r,k] * weight[n,k], for very many rows r
//
//   binding  name    type         shape              access
//   0        x       vec4f        [rows, in_dim]     read
//   1        weight  weight_word  [out_dim, in_dim]  read   rows first_output.. of the whole weight
//   2        y       f32          [rows, y_dim]      write  columns first_output..
//   3        params  Params                          uniform
//
//   dispatch   (ceil(out_dim / 64), ceil(rows / 64), 1): one workgroup computes a 64 x 64 tile of y
//   requires   in_dim % 4 == 0
//   numerics   f32 products and sums of the dequantised weights; checked against reference/matmul.cpp
//   cost       2 * rows * out_dim * in_dim operations; each weight is read ceil(rows / 64) times
//
// What matmul_tile.wgsl does, with sixteen times the outputs to a lane, which then multiplies four times as
// often for each value that it reads from workgroup memory. Worth it where such tiles keep a GPU busy.
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

const tile = 64u;  // rows and outputs of a tile
const depth = 4u;  // vec4s of the inner dimension staged at a time

// What a lane brings to a stage: vec4 number lane % 4 of rows lane / 4 + 0, 16, 32, 48 of either side.
struct Share {
  x0: vec4f,
  x1: vec4f,
  x2: vec4f,
  x3: vec4f,
  w0: vec4f,
  w1: vec4f,
  w2: vec4f,
  w3: vec4f,
}

fn fetch(row: u32, output: u32, k: u32) -> Share {
  return Share(x_at(row, k), x_at(row + 16, k), x_at(row + 32, k), x_at(row + 48, k), weight_at(output, k),
               weight_at(output + 16, k), weight_at(output + 32, k), weight_at(output + 48, k));
}

fn stage(share: Share, lane: u32) {
  let at = staged(lane / depth, lane % depth);
  let step = staged(16, 0);
  x_tile[at] = share.x0;
  x_tile[at + step] = share.x1;
  x_tile[at + 2 * step] = share.x2;
  x_tile[at + 3 * step] = share.x3;
  weight_tile[at] = share.w0;
  weight_tile[at + step] = share.w1;
  weight_tile[at + 2 * step] = share.w2;
  weight_tile[at + 3 * step] = share.w3;
}

// sums + the dot products of a with b0 to b3, each step a multiplication and an addition that a GPU does at
// once.
fn plus4(sums: vec4f, a: vec4f, b0: vec4f, b1: vec4f, b2: vec4f, b3: vec4f) -> vec4f {
  var s = sums;
  s += a.x * vec4f(b0.x, b1.x, b2.x, b3.x);
  s += a.y * vec4f(b0.y, b1.y, b2.y, b3.y);
  s += a.z * vec4f(b0.z, b1.z, b2.z, b3.z);
  s += a.w * vec4f(b0.w, b1.w, b2.w, b3.w);
  return s;
}

@compute @workgroup_size(64)
fn matmul_wide(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_row = group.y * tile;
  let first_output = group.x * tile;
  let lane_row = lane / 8;     // this lane's rows of the tile: lane_row + 0, 8, .. 56
  let lane_output = lane % 8;  // and its outputs, likewise

  // Of row lane_row + 8 * i: sum{i}0 of outputs lane_output + 0, 8, 16, 24, sum{i}1 of the others.
  var sum00 = vec4f();
  var sum01 = vec4f();
  var sum10 = vec4f();
  var sum11 = vec4f();
  var sum20 = vec4f();
  var sum21 = vec4f();
  var sum30 = vec4f();
  var sum31 = vec4f();
  var sum40 = vec4f();
  var sum41 = vec4f();
  var sum50 = vec4f();
  var sum51 = vec4f();
  var sum60 = vec4f();
  var sum61 = vec4f();
  var sum70 = vec4f();
  var sum71 = vec4f();

  let my_row = first_row + lane / depth;
  let my_output = first_output + lane / depth;
  var share = fetch(my_row, my_output, lane % depth);
  for (var k = 0u; k < params.in_dim4; k += depth) {
    stage(share, lane);
    workgroupBarrier();
    share = fetch(my_row, my_output, k + depth + lane % depth);

    for (var c = 0u; c < depth; c++) {
      let w0 = weight_tile[staged(lane_output, c)];
      let w1 = weight_tile[staged(lane_output + 8, c)];
      let w2 = weight_tile[staged(lane_output + 16, c)];
      let w3 = weight_tile[staged(lane_output + 24, c)];
      let w4 = weight_tile[staged(lane_output + 32, c)];
      let w5 = weight_tile[staged(lane_output + 40, c)];
      let w6 = weight_tile[staged(lane_output + 48, c)];
      let w7 = weight_tile[staged(lane_output + 56, c)];
      let x0 = x_tile[staged(lane_row, c)];
      sum00 = plus4(sum00, x0, w0, w1, w2, w3);
      sum01 = plus4(sum01, x0, w4, w5, w6, w7);
      let x1 = x_tile[staged(lane_row + 8, c)];
      sum10 = plus4(sum10, x1, w0, w1, w2, w3);
      sum11 = plus4(sum11, x1, w4, w5, w6, w7);
      let x2 = x_tile[staged(lane_row + 16, c)];
      sum20 = plus4(sum20, x2, w0, w1, w2, w3);
      sum21 = plus4(sum21, x2, w4, w5, w6, w7);
      let x3 = x_tile[staged(lane_row + 24, c)];
      sum30 = plus4(sum30, x3, w0, w1, w2, w3);
      sum31 = plus4(sum31, x3, w4, w5, w6, w7);
      let x4 = x_tile[staged(lane_row + 32, c)];
      sum40 = plus4(sum40, x4, w0, w1, w2, w3);
      sum41 = plus4(sum41, x4, w4, w5, w6, w7);
      let x5 = x_tile[staged(lane_row + 40, c)];
      sum50 = plus4(sum50, x5, w0, w1, w2, w3);
      sum51 = plus4(sum51, x5, w4, w5, w6, w7);
      let x6 = x_tile[staged(lane_row + 48, c)];
      sum60 = plus4(sum60, x6, w0, w1, w2, w3);
      sum61 = plus4(sum61, x6, w4, w5, w6, w7);
      let x7 = x_tile[staged(lane_row + 56, c)];
      sum70 = plus4(sum70, x7, w0, w1, w2, w3);
      sum71 = plus4(sum71, x7, w4, w5, w6, w7);
    }
    workgroupBarrier();  // before the next round overwrites the tiles
  }

  let row = first_row + lane_row;
  let output = first_output + lane_output;
  write_row(row, output, sum00, sum01);
  write_row(row + 8, output, sum10, sum11);
  write_row(row + 16, output, sum20, sum21);
  write_row(row + 24, output, sum30, sum31);
  write_row(row + 32, output, sum40, sum41);
  write_row(row + 40, output, sum50, sum51);
  write_row(row + 48, output, sum60, sum61);
  write_row(row + 56, output, sum70, sum71);
}

fn write_row(row: u32, first_output: u32, sums0: vec4f, sums1: vec4f) {
  for (var j = 0u; j < 8u; j++) {
    let output = first_output + 8 * j;
    if (row < params.rows && output < params.out_dim) {
      y[row * params.y_dim + params.first_output + output] = select(sums0[j % 4], sums1[j % 4], j >= 4);
    }
  }
}
