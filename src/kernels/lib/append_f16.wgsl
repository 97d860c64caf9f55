// Appends to pages of f16, rounded to the nearest.
// uses: lib/append_plain.wgsl
// uses: lib/kv_f16.wgsl
