// row_dot: this invocation's share of sum over k of x[x_row, k] * weight[row, k]: every stride-th eight
// values, from the first-th on. The inner loop has a constant count, so that a compiler can unroll it
// and issue the loads of four eights before it waits for one. The kernel declares x and
// params.in_dim4; dot8 and weight4 come with the weight.

fn row_dot(x_row: u32, row: u32, first: u32, stride: u32) -> f32 {
  let x_at = x_row * params.in_dim4;
  let n8 = params.in_dim4 / 2;
  var sum = 0.0;
  for (var start = first; start < n8; start += 4 * stride) {
    for (var i = 0u; i < 4u; i++) {
      let k = start + i * stride;
      if (k < n8) {
        sum += dot8(row, k, x[x_at + 2 * k], x[x_at + 2 * k + 1]);
      }
    }
  }
  // A row of an odd number of vec4s.
  if (first == 0 && params.in_dim4 % 2 == 1) {
    sum += dot(x[x_at + 2 * n8], weight4(row, 2 * n8));
  }
  return sum;
}
