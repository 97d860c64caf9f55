// prepare_heads: the query heads that a workgroup takes of one row of qkv, and the row's key, rotated, in
// workgroup memory. The factors of their norms, where they have norms, are left to the reader: a rotation
// and a product pass them on. The kernel declares qkv, q_weight, k_weight: array<f32>, cos_sin:
// array<vec2f> and params.eps.
// uses: lib/team_{reduce}.wgsl

override heads_per_pass: u32 = 4;  // 1, 2 or 4
override head_dim4: u32 = 32;      // head_dim / 4
override half_dim: u32 = 64;       // rope_dim / 2
override norm_rounds: u32 = 0;     // that the teams take for the norms of these heads; 0: no norms

struct Heads {
  first_query: u32,
  n_queries: u32,
  key: u32,          // among all heads of the row
}

var<workgroup> prepared: array<vec4f, (heads_per_pass + 1) * head_dim4>;
var<workgroup> norm_factors: array<f32, heads_per_pass + 1>;

// Head h of those of the workgroup, the key behind the queries. Where there are fewer queries, the last.
fn head_at(heads: Heads, h: u32) -> u32 {
  return 4 * head_dim4 * select(heads.first_query + min(h, heads.n_queries - 1), heads.key, h >= heads_per_pass);
}

// Value d of the head that begins at `at`, times its norm's weight.
fn weighted(at: u32, d: u32, is_key: bool) -> f32 {
  if (norm_rounds == 0) {
    return qkv[at + d];
  }
  if (is_key) {
    return qkv[at + d] * k_weight[d];
  }
  return qkv[at + d] * q_weight[d];
}

// The same after the rotation. Pairs lie half_dim apart; what lies behind them stays.
fn rotated(at: u32, d: u32, is_key: bool, position: u32) -> f32 {
  if (d >= 2 * half_dim) {
    return weighted(at, d, is_key);
  }
  let pair = select(d - half_dim, d, d < half_dim);
  let rotation = cos_sin[position * half_dim + pair];
  let a = weighted(at, pair, is_key);
  let b = weighted(at, pair + half_dim, is_key);
  return select(b * rotation.x + a * rotation.y, a * rotation.x - b * rotation.y, d < half_dim);
}

// Every invocation of the workgroup calls it, in uniform control flow.
fn prepare_heads(heads: Heads, with_key: bool, position: u32, lane: u32) {
  let team = team_of(lane);
  let n_here = select(heads_per_pass, heads_per_pass + 1, with_key);
  for (var i = lane; i < n_here * head_dim4; i += workgroup_size) {
    let at = head_at(heads, i / head_dim4);
    let is_key = i >= heads_per_pass * head_dim4;
    let d = 4 * (i % head_dim4);
    prepared[i] = vec4f(rotated(at, d, is_key, position), rotated(at, d + 1, is_key, position),
                        rotated(at, d + 2, is_key, position), rotated(at, d + 3, is_key, position));
  }
  for (var round = 0u; round < norm_rounds; round++) {
    let h = round * team.count + team.index;
    var squares = 0.0;
    for (var d = team.lane; d < 4 * head_dim4; d += team.size) {
      let value = qkv[head_at(heads, h) + d];
      squares += value * value;
    }
    let mean = part_sum(squares, lane) / f32(4 * head_dim4);
    if (team.lane == 0 && h <= heads_per_pass) {
      norm_factors[h] = inverseSqrt(mean + params.eps);
    }
  }
  workgroupBarrier();
}

// Four values of a key times those of each query.
fn times_queries(key: vec4f, d4: u32) -> vec4f {
  var products = vec4f(dot(prepared[d4], key), 0, 0, 0);
  if (heads_per_pass > 1) {
    products.y = dot(prepared[head_dim4 + d4], key);
  }
  if (heads_per_pass > 2) {
    products.z = dot(prepared[2 * head_dim4 + d4], key);
    products.w = dot(prepared[3 * head_dim4 + d4], key);
  }
  return products;
}

fn query_factors() -> vec4f {
  if (norm_rounds == 0) {
    return vec4f(1.0);
  }
  let last = heads_per_pass - 1;
  return vec4f(norm_factors[0], norm_factors[min(1, last)], norm_factors[min(2, last)], norm_factors[last]);
}

fn key_factor() -> f32 {
  if (norm_rounds == 0) {
    return 1.0;
  }
  return norm_factors[heads_per_pass];
}
