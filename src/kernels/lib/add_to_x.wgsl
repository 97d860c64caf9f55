// The end of a product that is added to x: x[n] += sum, next[n] = x[n] * gamma[n], for eight outputs. It
// leaves what the next matrix needs of RMSNorm: its input times gamma, and a sum of squares for each
// eight values, from which the reader takes the factor that all of them lack. The kernel declares x and
// gamma: array<vec4f>.
// uses: lib/store_input.wgsl

// What is asked for before the product, as it takes its time to come.
struct Before {
  x0: vec4f,
  x1: vec4f,
  gamma0: vec4f,
  gamma1: vec4f,
}

fn before_product(n4: u32) -> Before {
  return Before(x[n4], x[n4 + 1], gamma[n4], gamma[n4 + 1]);
}

fn add_to_x(n4: u32, before: Before, sums0: vec4f, sums1: vec4f) {
  let x0 = before.x0 + sums0;
  let x1 = before.x1 + sums1;
  x[n4] = x0;
  x[n4 + 1] = x1;
  store_squares(n4 / 2, dot(x0, x0) + dot(x1, x1));
  store8(n4 / 2, x0 * before.gamma0, x1 * before.gamma1);
}
