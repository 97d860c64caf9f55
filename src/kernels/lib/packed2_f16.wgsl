// packed2: two neighbouring values of a tensor as they lie in memory. Here f16, the first in the low
// half; rounds to nearest.

alias packed2 = u32;

fn pack2(values: vec2f) -> packed2 {
  return pack2x16float(values);
}
