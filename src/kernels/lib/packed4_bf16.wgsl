// packed4: four neighbouring values of a tensor as they lie in memory. Here bf16, two to a word, the
// first in the low half. A bf16 is the upper half of the f32 with the same value: widening is exact.

alias packed4 = vec2u;

fn unpack4(p: packed4) -> vec4f {
  return vec4f(bitcast<f32>(p.x << 16), bitcast<f32>(p.x & 0xffff0000),
               bitcast<f32>(p.y << 16), bitcast<f32>(p.y & 0xffff0000));
}
