// embed: x[r,:] = scale * token_embd[token_ids[r],:]
//
//   binding  name        type     shape              access
//   0        token_ids   u32      [rows]             read
//   1        token_embd  packed4  [vocab_size, dim]  read
//   2        x           vec4f    [rows, dim]        write
//   3        params      Params                      uniform
//
//   dispatch   (rows, 1, 1): one workgroup copies one row
//   requires   dim % 4 == 0, every id < vocab_size (the host has checked)
//   numerics   exact for every weight type where scale is 1
//   cost       reads rows * dim weights, writes rows * dim floats
//
// variants: weight = f32 | f16 | bf16
// uses: lib/packed4_{weight}.wgsl

struct Params {
  dim4: u32,   // dim / 4
  scale: f32,  // 1; Gemma: sqrt(dim)
}

@group(0) @binding(0) var<storage, read> token_ids: array<u32>;
@group(0) @binding(1) var<storage, read> token_embd: array<packed4>;
@group(0) @binding(2) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

override workgroup_size: u32 = 64;

@compute @workgroup_size(workgroup_size)
fn embed(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  let first = token_ids[row] * params.dim4;
  for (var i = lane; i < params.dim4; i += workgroup_size) {
    x[row * params.dim4 + i] = params.scale * unpack4(token_embd[first + i]);
  }
}
