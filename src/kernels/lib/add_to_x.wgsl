// The two ends of a product that is added to x: x[n] += row_sum, next[n] = x[n] * gamma[n]. It leaves
// what the next matrix needs of RMSNorm: its input times gamma, and a sum of squares for each eight
// values, from which the reader takes the factor that all of them lack. Where the product is to be normed
// before it is added, adds is false: x[n] = row_sum, and next is left alone. The kernel declares x and
// gamma: array<vec4f>.
// uses: lib/rows_in_order.wgsl
// uses: lib/store_input.wgsl

override adds: bool = true;

// The eight outputs that a lane stores in the end, and what it needs of them, which is asked for before
// the product, as it takes its time to come.
struct Before {
  stores: bool,
  n4: u32,  // the first of them, / 4
  x0: vec4f,
  x1: vec4f,
  gamma0: vec4f,
  gamma1: vec4f,
}

fn before_product(group: u32, lane: u32) -> Before {
  let i = 8 * lane;
  if (i >= rows_here(group)) {
    return Before();
  }
  let n4 = (params.first_output + group * outputs_per_workgroup + i) / 4;
  if (!adds) {
    return Before(true, n4, vec4f(), vec4f(), vec4f(), vec4f());
  }
  return Before(true, n4, x[n4], x[n4 + 1], gamma[n4], gamma[n4 + 1]);
}

fn add_to_x(before: Before, lane: u32) {
  if (!before.stores) {
    return;
  }
  let i = 8 * lane;
  let n4 = before.n4;
  let x0 = before.x0 + vec4f(row_sum(i), row_sum(i + 1), row_sum(i + 2), row_sum(i + 3));
  let x1 = before.x1 + vec4f(row_sum(i + 4), row_sum(i + 5), row_sum(i + 6), row_sum(i + 7));
  x[n4] = x0;
  x[n4 + 1] = x1;
  if (!adds) {
    return;
  }
  store_squares(n4 / 2, dot(x0, x0) + dot(x1, x1));
  store8(n4 / 2, x0 * before.gamma0, x1 * before.gamma1);
}
