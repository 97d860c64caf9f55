// Attention of one lane: weigh_keys scores up to most_keys keys with a query and keeps their weights,
// weighted_value4 then sums up their values. The kernel declares kv, page_table, params.n_kv_heads,
// params.head_dim4, params.scale, params.softcap and prepared4(at, d): vec4 number d of the query that lies
// at `at`.
// uses: lib/tanh.wgsl

const most_keys = 64u;
const least = -3.0e38;

var<private> key_weights: array<vec4f, most_keys / 4>;

// Neighbouring keys that are seen, perhaps none. Those that are weighed at once lie within most_keys that
// begin at a multiple of four.
struct Keys {
  begin: u32,
  end: u32,
}

// The fours of keys that hold them.
fn fours_of(keys: Keys) -> Keys {
  let begin = keys.begin / 4;
  return Keys(begin, select(begin, (keys.end + 3) / 4, keys.begin < keys.end));
}

// Where a row of kv begins: of keys from kv_head 0 on, of values from n_kv_heads on.
fn row_at(page: u32, side_head: u32, slot: u32) -> u32 {
  return page * page_stride(params.n_kv_heads, params.head_dim4) + (side_head * page_size + slot) * params.head_dim4;
}

// Four keys that lie side by side. What is not seen may be anything, or being written: in its place, one that
// is seen.
struct Four {
  page: u32,
  slots: vec4u,
  seen: vec4<bool>,
}

fn four_keys(keys: Keys, first: u32) -> Four {
  let positions = first + vec4u(0, 1, 2, 3);
  let nearest = clamp(positions, vec4u(keys.begin), vec4u(keys.end - 1));
  return Four(page_table[first / page_size], nearest % page_size, nearest == positions);
}

// Vec4 number d of each, or of their values: a column each.
fn columns(four: Four, side_head: u32, d: u32) -> mat4x4f {
  let at = row_at(four.page, side_head, 0) + four.slots * params.head_dim4 + d;
  return mat4x4f(unpack_kv(kv[at.x]), unpack_kv(kv[at.y]), unpack_kv(kv[at.z]), unpack_kv(kv[at.w]));
}

// What multiplies them (side 0), or their values (1).
fn scales_of(four: Four, kv_head: u32, side: u32) -> vec4f {
  return vec4f(scale_of(four.page, kv_head, four.slots.x)[side], scale_of(four.page, kv_head, four.slots.y)[side],
               scale_of(four.page, kv_head, four.slots.z)[side], scale_of(four.page, kv_head, four.slots.w)[side]);
}

fn scale_of(page: u32, kv_head: u32, slot: u32) -> vec2f {
  return kv_scales(page, kv_head, slot, params.n_kv_heads, params.head_dim4);
}

fn capped(scores: vec4f) -> vec4f {
  if (params.softcap > 0.0) {
    return soft_capped4(scores, params.softcap);
  }
  return scores;
}

// What attention over some keys found, but for their values.
struct Found {
  largest: f32,  // score
  total: f32,    // of the weights, exp(score - largest)
}

fn weigh_keys(query_at: u32, kv_head: u32, keys: Keys) -> Found {
  let fours = fours_of(keys);
  var largest = least;
  for (var i = fours.begin; i < fours.end; i++) {
    let four = four_keys(keys, 4 * i);
    var scores = vec4f();
    for (var d = 0u; d < params.head_dim4; d++) {
      scores += prepared4(query_at, d) * columns(four, kv_head, d);
    }
    scores = capped(scores * (params.scale * scales_of(four, kv_head, 0)));
    scores = select(vec4f(least), scores, four.seen);
    largest = max(largest, max(max(scores.x, scores.y), max(scores.z, scores.w)));
    key_weights[i % (most_keys / 4)] = scores;
  }
  var total = 0.0;
  for (var i = fours.begin; i < fours.end; i++) {
    let four = four_keys(keys, 4 * i);
    let these = select(vec4f(), exp(key_weights[i % (most_keys / 4)] - largest), four.seen);
    total += dot(these, vec4f(1.0));
    key_weights[i % (most_keys / 4)] = these * scales_of(four, kv_head, 1);
  }
  return Found(largest, total);
}

// Vec4 number d of the values of the keys that were weighed last, each times its weight.
fn weighted_value4(kv_head: u32, keys: Keys, d: u32) -> vec4f {
  let fours = fours_of(keys);
  var sum = vec4f();
  for (var i = fours.begin; i < fours.end; i++) {
    sum += columns(four_keys(keys, 4 * i), params.n_kv_heads + kv_head, d) * key_weights[i % (most_keys / 4)];
  }
  return sum;
}
