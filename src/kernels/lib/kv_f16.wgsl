// Pages of keys and values as f16.
// uses: lib/kv_plain.wgsl
// uses: lib/packed4_f16.wgsl
