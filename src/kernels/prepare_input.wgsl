// prepare_input: x += p * inverseSqrt(mean(p^2) + eps) * post; next = x * gamma
//
//   binding  name    type   shape  access
//   0        p       f32    [dim]  read        what is added; any buffer where adds is 0
//   1        post    f32    [dim]  read        its norm's weight; any buffer where norms is 0
//   2        gamma   f32    [dim]  read        the weight of the norm to come; likewise for has_gamma
//   3        x       f32    [dim]  read_write
//   4        next    u32    [dim]  write       as lib/store_input.wgsl leaves it
//   5        params  Params        uniform
//
//   dispatch   (1, 1, 1): one workgroup
//   requires   dim % 8 == 0 (next in 8 bits: % 32 == 0), workgroup_size a power of two
//   numerics   f32 sums; checked against reference/rms_norm.cpp and reference/input.cpp
//   cost       reads up to five vectors; latency-bound
//
// One sum of squares lies behind next; from it the reader takes the norm's factor. With norms 0 p is
// added as it is, with adds 0 nothing is.
//
// variants: reduce = tree | subgroup
// uses: lib/store_input.wgsl
// uses: lib/reduce_{reduce}.wgsl

struct Params {
  next_dim: u32,     // dim
  adds: u32,
  norms: u32,
  has_gamma: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> p: array<f32>;
@group(0) @binding(1) var<storage, read> post: array<f32>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read_write> x: array<f32>;
@group(0) @binding(4) var<storage, read_write> next: array<u32>;
@group(0) @binding(5) var<uniform> params: Params;

override workgroup_size: u32 = 256;

// Four of a vector's values.
fn x4(i: u32) -> vec4f {
  return vec4f(x[i], x[i + 1], x[i + 2], x[i + 3]);
}

fn p4(i: u32) -> vec4f {
  return vec4f(p[i], p[i + 1], p[i + 2], p[i + 3]);
}

fn post4(i: u32) -> vec4f {
  return vec4f(post[i], post[i + 1], post[i + 2], post[i + 3]);
}

fn gamma4(i: u32) -> vec4f {
  return vec4f(gamma[i], gamma[i + 1], gamma[i + 2], gamma[i + 3]);
}

// Adds to four values of x, and answers what they are then.
fn added(i: u32, factor: f32) -> vec4f {
  var values = x4(i);
  if (params.adds == 1) {
    var addend = p4(i) * factor;
    if (params.norms == 1) {
      addend *= post4(i);
    }
    values += addend;
    for (var j = 0u; j < 4u; j++) {
      x[i + j] = values[j];
    }
  }
  return values;
}

fn weighted(i: u32, values: vec4f) -> vec4f {
  if (params.has_gamma == 1) {
    return values * gamma4(i);
  }
  return values;
}

@compute @workgroup_size(workgroup_size)
fn prepare_input(@builtin(local_invocation_index) lane: u32) {
  let n_blocks = params.next_dim / 8;
  var factor = 1.0;
  if (params.norms == 1) {
    var squares = 0.0;
    for (var block = lane; block < n_blocks; block += workgroup_size) {
      let a = p4(8 * block);
      let b = p4(8 * block + 4);
      squares += dot(a, a) + dot(b, b);
    }
    factor = inverseSqrt(workgroup_sum(squares, lane) / f32(params.next_dim) + params.eps);
  }

  var squares = 0.0;
  for (var block = lane; block < n_blocks; block += workgroup_size) {
    let a = added(8 * block, factor);
    let b = added(8 * block + 4, factor);
    squares += dot(a, a) + dot(b, b);
    store8(block, weighted(8 * block, a), weighted(8 * block + 4, b));
  }
  let total = workgroup_sum(squares, lane);
  if (lane == 0) {
    store_squares(0, total);
  }
}
