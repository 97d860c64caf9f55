// row_dot: this invocation's share of sum over k of x[x_row, k] * weight[row, k]: every stride-th eight
// values, from the first-th on. Four eights are under way at a time, so that the loads of one do not
// wait for the sum of another. The kernel declares x and params.in_dim4; dot8 comes with the weight.

fn row_dot(x_row: u32, row: u32, first: u32, stride: u32) -> f32 {
  let x_at = x_row * params.in_dim4;
  let n8 = params.in_dim4 / 2;
  var sums = vec4f();
  var k = first;
  for (; k + 3 * stride < n8; k += 4 * stride) {
    let b = k + stride;
    let c = b + stride;
    let d = c + stride;
    sums += vec4f(dot8(row, k, x[x_at + 2 * k], x[x_at + 2 * k + 1]),
                  dot8(row, b, x[x_at + 2 * b], x[x_at + 2 * b + 1]),
                  dot8(row, c, x[x_at + 2 * c], x[x_at + 2 * c + 1]),
                  dot8(row, d, x[x_at + 2 * d], x[x_at + 2 * d + 1]));
  }
  for (; k < n8; k += stride) {
    sums.x += dot8(row, k, x[x_at + 2 * k], x[x_at + 2 * k + 1]);
  }
  // A row of an odd number of vec4s.
  if (first == 0 && params.in_dim4 % 2 == 1) {
    sums.y += dot(x[x_at + 2 * n8], weight4(row, 2 * n8));
  }
  return sums.x + sums.y + sums.z + sums.w;
}
