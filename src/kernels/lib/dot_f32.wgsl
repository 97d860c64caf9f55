// Dot products of weight rows with an input of f32 values in their order. The kernel declares
// params.in_dim4 and where the input lies (lib/input_f32.wgsl, lib/attended_f32.wgsl).
// uses: lib/weight_{weight}.wgsl

// This invocation's share of sum over k of input[k] * weight[row,k]: every stride-th eight values, from
// the first-th on. The inner loop has a constant count, so that a compiler can unroll it and issue the
// loads of four eights before it waits for one.
fn row_dot(row: u32, first: u32, stride: u32) -> f32 {
  let n8 = params.in_dim4 / 2;
  var sum = 0.0;
  for (var start = first; start < n8; start += 4 * stride) {
    for (var i = 0u; i < 4u; i++) {
      let k = start + i * stride;
      if (k < n8) {
        sum += dot8(row, k, input4(2 * k), input4(2 * k + 1));
      }
    }
  }
  return sum;
}

// The same for two rows, which share what is read of the input.
fn row_dot2(rows: vec2u, first: u32, stride: u32) -> vec2f {
  let n8 = params.in_dim4 / 2;
  var sums = vec2f();
  for (var start = first; start < n8; start += 2 * stride) {
    for (var i = 0u; i < 2u; i++) {
      let k = start + i * stride;
      if (k < n8) {
        let x0 = input4(2 * k);
        let x1 = input4(2 * k + 1);
        sums += vec2f(dot8(rows.x, k, x0, x1), dot8(rows.y, k, x0, x1));
      }
    }
  }
  return sums;
}

// The same for four.
fn row_dot4(rows: vec4u, first: u32, stride: u32) -> vec4f {
  var sums = vec4f();
  for (var k = first; k < params.in_dim4 / 2; k += stride) {
    let x0 = input4(2 * k);
    let x1 = input4(2 * k + 1);
    sums += vec4f(dot8(rows.x, k, x0, x1), dot8(rows.y, k, x0, x1), dot8(rows.z, k, x0, x1),
                  dot8(rows.w, k, x0, x1));
  }
  return sums;
}
