// rope: rotates pairs (i, i + rope_dim/2) of each head of qkv[r,:] by positions[r] * inv_freq[i]
//
//   binding  name       type   shape                         access
//   0        positions  u32    [rows]                        read
//   1        cos_sin    vec2f  [max_positions, rope_dim/2]   read
//   2        qkv        f32    [rows, row_dim]               read_write
//   3        params     Params                               uniform
//
//   dispatch   (ceil(n_heads * rope_dim/2 / workgroup_size), rows, 1): one lane rotates one pair
//   requires   the first n_heads * head_dim values of a row are the query heads, then the key heads
//   numerics   cos and sin come from a table: a driver's own may be as coarse as 2^-11
//   cost       reads and writes rows * n_heads * rope_dim floats
//
// Source: Su et al., "RoFormer" (2021), in the half-split form of Hugging Face's rotate_half.

struct Params {
  n_heads: u32,    // query and key heads together
  head_dim: u32,
  half_dim: u32,   // rope_dim / 2
  row_dim: u32,    // floats from one row of qkv to the next
}

@group(0) @binding(0) var<storage, read> positions: array<u32>;
@group(0) @binding(1) var<storage, read> cos_sin: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> qkv: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

override workgroup_size: u32 = 64;

@compute @workgroup_size(workgroup_size)
fn rope(@builtin(global_invocation_id) id: vec3u) {
  let head = id.x / params.half_dim;
  let i = id.x % params.half_dim;
  if (head >= params.n_heads) {
    return;
  }
  let row = id.y;
  let rotation = cos_sin[positions[row] * params.half_dim + i];
  let first = row * params.row_dim + head * params.head_dim + i;
  let a = qkv[first];
  let b = qkv[first + params.half_dim];
  qkv[first] = a * rotation.x - b * rotation.y;
  qkv[first + params.half_dim] = b * rotation.x + a * rotation.y;
}
