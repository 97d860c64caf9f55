// packed4: four neighbouring values of a tensor as they lie in memory. Here f16, two to a word, the
// first in the low half. Needs no shader-f16; widening is exact.

alias packed4 = vec2u;

fn unpack4(p: packed4) -> vec4f {
  return vec4f(unpack2x16float(p.x), unpack2x16float(p.y));
}
