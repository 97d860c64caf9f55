// An input in 16 bits (lib/halves8.wgsl) in workgroup memory, where the workgroup put it itself.
// uses: lib/halves8.wgsl

var<workgroup> attended_halves: array<vec4u, input_blocks>;
var<workgroup> attended_scales: array<f32, input_blocks>;

fn put_input8(block: u32, a: vec4f, b: vec4f) {
  let eight = halves8(a, b, for_nibbles);
  attended_halves[block] = eight.halves;
  attended_scales[block] = eight.scale;
}

fn halves_at(block: u32) -> vec4u {
  return attended_halves[block];
}

fn block_scale(block: u32) -> f32 {
  return attended_scales[block];
}
