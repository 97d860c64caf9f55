// Appends to pages of f32.
// uses: lib/append_plain.wgsl
// uses: lib/kv_f32.wgsl
