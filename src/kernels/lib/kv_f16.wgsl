// Pages of keys and values as f16. kv_word: four neighbouring values as they lie there, two to a word, the
// first in the low half. Needs no shader-f16; widening is exact, narrowing rounds to nearest.
// uses: lib/kv_plain.wgsl

alias kv_word = vec2u;

fn unpack_kv(p: kv_word) -> vec4f {
  return vec4f(unpack2x16float(p.x), unpack2x16float(p.y));
}

fn pack_kv(values: vec4f) -> kv_word {
  return vec2u(pack2x16float(values.xy), pack2x16float(values.zw));
}
