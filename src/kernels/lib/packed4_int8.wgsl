// packed4: four neighbouring values of a tensor as they lie in memory. Here whole numbers from -128
// to 127, one a byte, the first in the lowest; what scales them is kept elsewhere.

alias packed4 = u32;

fn unpack4(p: packed4) -> vec4f {
  return vec4f((vec4i(i32(p)) << vec4u(24, 16, 8, 0)) >> vec4u(24));
}

fn pack4(values: vec4f) -> packed4 {
  let bytes = (vec4u(vec4i(values)) & vec4u(0xff)) << vec4u(0, 8, 16, 24);
  return bytes.x | bytes.y | bytes.z | bytes.w;
}
