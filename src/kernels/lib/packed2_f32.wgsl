// packed2: two neighbouring values of a tensor as they lie in memory. Here f32.

alias packed2 = vec2f;

fn pack2(values: vec2f) -> packed2 {
  return values;
}
