// Dot products of weight rows with an input of f32 values in their order. The kernel declares
// params.in_dim4, turns_at_once and where the input lies (lib/input_f32.wgsl, lib/attended_f32.wgsl).
// uses: lib/weight8_{weight}.wgsl or lib/weight_{weight}.wgsl

fn dot8_at(row: u32, k8: u32) -> f32 {
  return dot8(row, k8, input4(2 * k8), input4(2 * k8 + 1));
}

fn dot8_at2(rows: vec2u, k8: u32) -> vec2f {
  let x0 = input4(2 * k8);
  let x1 = input4(2 * k8 + 1);
  return vec2f(dot8(rows.x, k8, x0, x1), dot8(rows.y, k8, x0, x1));
}

// This invocation's share of sum over k of input[k] * weight[row,k]: every stride-th eight values, from
// the first-th on. The inner loop has a constant count, so that a compiler can unroll it and issue the
// loads of four eights before it waits for one.
fn row_dot(row: u32, first: u32, stride: u32) -> f32 {
  let n8 = params.in_dim4 / 2;
  var sum = 0.0;
  if (turns_at_once == 4) {
    for (var k = first; k < n8; k += 4 * stride) {
      sum += dot8_at(row, k) + dot8_at(row, k + stride) + dot8_at(row, k + 2 * stride) +
             dot8_at(row, k + 3 * stride);
    }
    return sum;
  }
  for (var start = first; start < n8; start += 4 * stride) {
    for (var i = 0u; i < 4u; i++) {
      let k = start + i * stride;
      if (k < n8) {
        sum += dot8_at(row, k);
      }
    }
  }
  return sum;
}

// The same for two rows, which share what is read of the input.
fn row_dot2(rows: vec2u, first: u32, stride: u32) -> vec2f {
  let n8 = params.in_dim4 / 2;
  var sums = vec2f();
  if (turns_at_once == 4) {
    for (var k = first; k < n8; k += 4 * stride) {
      sums += dot8_at2(rows, k) + dot8_at2(rows, k + stride) + dot8_at2(rows, k + 2 * stride) +
              dot8_at2(rows, k + 3 * stride);
    }
    return sums;
  }
  for (var start = first; start < n8; start += 2 * stride) {
    for (var i = 0u; i < 2u; i++) {
      let k = start + i * stride;
      if (k < n8) {
        sums += dot8_at2(rows, k);
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
