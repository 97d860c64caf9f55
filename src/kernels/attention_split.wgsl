// attention_split: queries and the key of one row normalised and rotated, its key and value appended; then of
//                  each span of 64 keys, for each query head: max(s), sum(exp(s - max)) and exp(s - max) V,
//                  with s = cap(scale * q . K)
//
//   binding  name        type     shape                                          access
//   0        qkv         f32      [row_dim]                                      read
//   1        positions   u32      [1]                                            read
//   2        cos_sin     vec2f    [max_positions, rope_dim/2]                    read
//   3        q_weight    f32      [head_dim]                                     read   any buffer
//   4        k_weight    f32      [head_dim]                                     read   where norm_rounds is 0
//   5        page_table  u32      [n_pages]                                      read
//   6        kv          kv_word  [n_pages, 2, n_kv_heads, page_size, head_dim]  read_write
//   7        spans       vec4f    [n_spans, n_heads, 4 + head_dim]               write  max, sum, two unused; values
//   8        params      Params                                                  uniform
//
//   dispatch   (n_kv_heads * n_passes, spans of the slab + 1, 1): one workgroup takes a span and up to four
//              query heads that share a KV head; spans that the row does not see are left alone
//   requires   head_dim % 4 == 0, head_dim <= 256, a row holds query heads, key heads, value heads;
//              workgroup_size 64, 128 or 256, at least head_dim4; heads_per_pass 1, 2 or 4, of more than
//              128 values at most 2
//   numerics   f32; with attention_combine.wgsl checked against reference/qk_norm.cpp, reference/rope.cpp,
//              reference/kv_append.cpp and reference/attention.cpp, one after the other
//   cost       reads each key and value once for heads_per_pass heads: bandwidth-bound in long contexts
//
// kv is one slab of a cache; slabs begin at multiples of a span, so where a cache is cut changes
// no bit. The row's own key and value make a span of their own, behind those of all keys before it: whoever
// takes it appends them, so that nobody reads what another workgroup writes.
// Source of the split: Dao et al., "Flash-Decoding for long-context inference" (2023).
//
// variants: kv = f32 | f16 | int8
// variants: reduce = tree | subgroup
// uses: lib/append_{kv}.wgsl
// uses: lib/heads_of_row.wgsl
// uses: lib/team_{reduce}.wgsl
// uses: lib/tanh.wgsl

struct Params {
  scale: f32,
  window: u32,      // keys a row sees, its own included; 0: all
  softcap: f32,     // 0: none
  first: u32,       // the slab holds the positions from here, a multiple of a span
  end: u32,         // to before here
  eps: f32,         // of the norms
}

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> cos_sin: array<vec2f>;
@group(0) @binding(3) var<storage, read> q_weight: array<f32>;
@group(0) @binding(4) var<storage, read> k_weight: array<f32>;
@group(0) @binding(5) var<storage, read> page_table: array<u32>;
@group(0) @binding(6) var<storage, read_write> kv: array<kv_word>;
@group(0) @binding(7) var<storage, read_write> spans: array<vec4f>;
@group(0) @binding(8) var<uniform> params: Params;

override workgroup_size: u32 = 256;
override n_heads: u32 = 8;
override n_kv_heads: u32 = 2;
override rounds: u32 = 1;          // that the teams take for the softmax of a pass
override keys_at_once: u32 = 8;    // at most 8: loads of a lane that are under way together
override values_at_once: u32 = 8;

const span_size = 64u;
const least = -3.0e38;

// Of each head and key: scores, then their weights.
var<workgroup> weights: array<f32, heads_per_pass * span_size>;
var<workgroup> value_scale: array<f32, 64>;
var<workgroup> own_key: array<kv_word, head_dim4>;
var<workgroup> own_value: array<kv_word, head_dim4>;
// Of every lane: its share of a key's scores for each head; later its share of two heads' values.
var<workgroup> partial: array<vec4f, 2 * workgroup_size>;

fn capped(score: f32) -> f32 {
  if (params.softcap > 0.0) {
    return soft_capped(score, params.softcap);
  }
  return score;
}

// Where what a span leaves of a head begins.
fn span_at(span: u32, head: u32) -> u32 {
  return (span * n_heads + head) * (1 + head_dim4);
}

fn page_of(position: u32) -> u32 {
  return page_table[min(position / page_size, arrayLength(&page_table) - 1)];
}

// Where a row of kv begins: of keys from kv_head 0 on, of values from n_kv_heads on.
fn row_at(page: u32, side_head: u32, position: u32) -> u32 {
  return page * page_stride(n_kv_heads, head_dim4) + (side_head * page_size + position % page_size) * head_dim4;
}

// The span that is the row's own key, which has all its weight.
fn attend_own(span: u32, heads: Heads, position: u32, appends: bool, lane: u32) {
  var key = vec4f();
  var value = vec4f();
  if (lane < head_dim4) {
    key = key_factor() * prepared[heads_per_pass * head_dim4 + lane];
    let at = 4 * ((heads.key + n_kv_heads) * head_dim4 + lane);
    value = vec4f(qkv[at], qkv[at + 1], qkv[at + 2], qkv[at + 3]);
  }
  let row = packed_row(key, value, lane);
  if (lane < head_dim4) {
    own_key[lane] = row.key;
    own_value[lane] = row.value;
  }
  workgroupBarrier();
  if (appends) {
    append(page_of(position), position % page_size, heads.key - n_heads, n_kv_heads, head_dim4, lane, row);
  }

  // Attention sees what the cache holds. Without the way through workgroup memory a compiler takes packing
  // and unpacking for nothing.
  let scales = row_scales(row);
  if (lane < head_dim4) {
    partial[lane] = times_queries(unpack_kv(own_key[lane]), lane);
  }
  workgroupBarrier();
  if (lane < heads.n_queries) {
    var sum = 0.0;
    for (var i = 0u; i < head_dim4; i++) {
      sum += partial[i][lane];
    }
    let score = capped(sum * query_factors()[lane] * scales.x * params.scale);
    spans[span_at(span, heads.first_query + lane)] = vec4f(score, 1, 0, 0);
  }
  if (lane < head_dim4) {
    for (var h = 0u; h < heads.n_queries; h++) {
      spans[span_at(span, heads.first_query + h) + 1 + lane] = scales.y * unpack_kv(own_value[lane]);
    }
  }
}

// The part of a key that is a lane's: every n_lanes-th vec4 from `first` on, keys_at_once of them.
fn load_key(row: u32, first: u32, n_lanes: u32) -> array<kv_word, 8> {
  var words: array<kv_word, 8>;
  for (var j = 0u; j < keys_at_once; j++) {
    words[j] = kv[row + min(first + j * n_lanes, head_dim4 - 1)];
  }
  return words;
}

// The keys of a span.
struct Keys {
  first: u32,       // position
  first_page: u32,
  begin: u32,       // the row sees those from here, within the span
  end: u32,         // to before here
}

// The values that are a lane's: of every n_parts-th key from `first` on, values_at_once of them.
fn load_values(keys: Keys, side_head: u32, first: u32, n_parts: u32, d4: u32) -> array<kv_word, 8> {
  var words: array<kv_word, 8>;
  for (var j = 0u; j < values_at_once; j++) {
    let k = first + j * n_parts;
    let page = page_of(keys.first + k);
    let row = select(row_at(keys.first_page, side_head, keys.first), row_at(page, side_head, keys.first + k),
                     k < keys.end);
    words[j] = kv[row + d4];
  }
  return words;
}

@compute @workgroup_size(workgroup_size)
fn attention_split(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) n_groups: vec3u,
                   @builtin(local_invocation_index) lane: u32) {
  let kv_head = group.x % n_kv_heads;
  let q_per_kv = n_heads / n_kv_heads;
  let first_head = kv_head * q_per_kv + group.x / n_kv_heads * heads_per_pass;
  let n_heads_here = min(heads_per_pass, (kv_head + 1) * q_per_kv - first_head);
  let heads = Heads(first_head, n_heads_here, n_heads + kv_head);
  let is_own = group.y == n_groups.y - 1;

  // A few neighbouring lanes share a key. Its page is asked for before it is known whether it is seen.
  let lanes_per_key = workgroup_size / span_size;
  let my_key = lane / lanes_per_key;
  let first_key = params.first + select(group.y * span_size, 0, is_own);
  let first_page = page_of(first_key);
  let my_page = page_of(first_key + my_key);
  let position = positions[0];
  let first_seen = select(0, position + 1 - params.window, params.window > 0 && position + 1 > params.window);
  let is_seen = first_key < position && first_key + span_size > first_seen;
  if (!select(is_seen, position >= params.first && position < params.end, is_own)) {
    return;
  }

  // What takes its time to come is asked for before anybody waits: keys and values, then the queries. No
  // compiler could do so for us, as this kernel writes to kv. In place of a key that another workgroup may be
  // writing, the first of the span; the row's own span uses none of them. Of the values a lane owns one vec4
  // and every n_parts-th key.
  let keys = Keys(first_key, first_page, max(first_key, first_seen) - first_key, min(span_size, position - first_key));
  let is_here = my_key < keys.end;
  let key_page = select(first_page, my_page, is_here);
  let key_position = first_key + select(0, my_key, is_here);
  let key_row = row_at(key_page, kv_head, key_position);
  let first4 = lane % lanes_per_key;
  let n_parts = workgroup_size / head_dim4;
  let first_value = keys.begin + lane / head_dim4;
  let dim = lane % head_dim4;
  var key_words = load_key(key_row, first4, lanes_per_key);
  let scales = kv_scales(key_page, kv_head, key_position % page_size, n_kv_heads, head_dim4);
  var value_words = load_values(keys, n_kv_heads + kv_head, first_value, n_parts, dim);
  prepare_heads(heads, is_own, position, lane);
  if (is_own) {
    attend_own((position + span_size - 1) / span_size, heads, position, group.x < n_kv_heads, lane);
    return;
  }

  // Scores.
  var scores = vec4f();
  for (var start = first4; start < head_dim4; start += keys_at_once * lanes_per_key) {
    if (start > first4) {
      key_words = load_key(key_row, start, lanes_per_key);
    }
    for (var j = 0u; j < keys_at_once; j++) {
      let i = start + j * lanes_per_key;
      if (i < head_dim4) {
        scores += times_queries(unpack_kv(key_words[j]), i);
      }
    }
  }
  partial[lane] = scores * query_factors() * (scales.x * params.scale);
  if (first4 == 0) {
    value_scale[my_key] = scales.y;
  }
  workgroupBarrier();

  // Softmax: a team takes a head. Every team runs the same number of rounds, so that it may hold a
  // barrier; what a lane leaves in weights it reads again itself.
  let span = first_key / span_size;
  let team = team_of(lane);
  for (var round = 0u; round < rounds; round++) {
    let h = round * team.count + team.index;
    let n_mine = select(0, span_size, h < heads_per_pass);
    var largest_here = least;
    for (var k = team.lane; k < n_mine; k += team.size) {
      var score = least;
      if (k >= keys.begin && k < keys.end) {
        score = 0.0;
        for (var i = 0u; i < lanes_per_key; i++) {
          score += partial[k * lanes_per_key + i][h];
        }
        score = capped(score);
      }
      weights[h * span_size + k] = score;
      largest_here = max(largest_here, score);
    }
    let largest = part_max(largest_here, lane);
    var total_here = 0.0;
    for (var k = team.lane; k < n_mine; k += team.size) {
      let weight = select(0.0, exp(weights[h * span_size + k] - largest), k >= keys.begin && k < keys.end);
      total_here += weight;
      weights[h * span_size + k] = weight * value_scale[k];
    }
    let total = part_sum(total_here, lane);
    if (team.lane == 0 && h < n_heads_here) {
      spans[span_at(span, first_head + h)] = vec4f(largest, total, 0, 0);
    }
  }
  workgroupBarrier();

  // Values.
  var sum_x = vec4f();
  var sum_y = vec4f();
  var sum_z = vec4f();
  var sum_w = vec4f();
  if (lane < n_parts * head_dim4) {
    for (var start = first_value; start < keys.end; start += values_at_once * n_parts) {
      if (start > first_value) {
        value_words = load_values(keys, n_kv_heads + kv_head, start, n_parts, dim);
      }
      for (var j = 0u; j < values_at_once; j++) {
        let k = start + j * n_parts;
        if (k < keys.end) {
          let value = unpack_kv(value_words[j]);
          sum_x += weights[k] * value;
          if (heads_per_pass > 1) {
            sum_y += weights[span_size + k] * value;
          }
          if (heads_per_pass > 2) {
            sum_z += weights[2 * span_size + k] * value;
            sum_w += weights[3 * span_size + k] * value;
          }
        }
      }
    }
  }
  for (var first = 0u; first < heads_per_pass; first += 2u) {
    if (first > 0) {
      workgroupBarrier();
    }
    partial[lane] = select(sum_z, sum_x, first == 0);
    partial[workgroup_size + lane] = select(sum_w, sum_y, first == 0);
    workgroupBarrier();
    let n_here = select(0, min(2, n_heads_here - first), first < n_heads_here);
    for (var i = lane; i < n_here * head_dim4; i += workgroup_size) {
      let h = i / head_dim4;
      var sum = vec4f();
      for (var p = 0u; p < n_parts; p++) {
        sum += partial[h * workgroup_size + p * head_dim4 + i % head_dim4];
      }
      spans[span_at(span, first_head + first + h) + 1 + i % head_dim4] = sum;
    }
  }
}
