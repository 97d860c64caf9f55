// An input in f32 in workgroup memory, where the workgroup put it itself.

var<workgroup> attended: array<array<vec4f, 2>, input_blocks>;

fn put_input8(block: u32, a: vec4f, b: vec4f) {
  attended[block][0] = a;
  attended[block][1] = b;
}

fn input4(k4: u32) -> vec4f {
  return attended[k4 / 2][k4 % 2];
}
