// Pages of keys and values as f32.
// uses: lib/kv_plain.wgsl
// uses: lib/packed4_f32.wgsl
