// Pages of keys and values as f32. kv_word: four neighbouring values as they lie there.
// uses: lib/kv_plain.wgsl

alias kv_word = vec4f;

fn unpack_kv(p: kv_word) -> vec4f {
  return p;
}

fn pack_kv(values: vec4f) -> kv_word {
  return values;
}
