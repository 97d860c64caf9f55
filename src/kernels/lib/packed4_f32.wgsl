// packed4: four neighbouring values of a tensor as they lie in memory. Here f32, as they are.

alias packed4 = vec4f;

fn unpack4(p: packed4) -> vec4f {
  return p;
}
