// An input in 8 bits (lib/quantised8.wgsl) in workgroup memory, where the workgroup put it itself.

var<workgroup> attended_codes: array<vec2u, input_blocks>;
var<workgroup> attended_scales: array<f32, input_blocks>;
var<workgroup> attended_sums: array<f32, input_blocks>;

fn put_input8(block: u32, a: vec4f, b: vec4f) {
  let eight = quantised8(a, b, for_nibbles);
  attended_codes[block] = eight.codes;
  attended_scales[block] = eight.scale;
  attended_sums[block] = eight.sum;
}

fn chunk_at(c: u32) -> Chunk {
  let b = 4 * c;
  return Chunk(vec4u(attended_codes[b], attended_codes[b + 1]),
               vec4u(attended_codes[b + 2], attended_codes[b + 3]),
               vec4f(attended_scales[b], attended_scales[b + 1], attended_scales[b + 2],
                     attended_scales[b + 3]));
}

// The sum of each eight values of a chunk, scaled.
fn chunk_sums(c: u32) -> vec4f {
  let b = 4 * c;
  return vec4f(attended_sums[b], attended_sums[b + 1], attended_sums[b + 2], attended_sums[b + 3]);
}
