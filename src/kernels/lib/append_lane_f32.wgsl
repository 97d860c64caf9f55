// Appends to pages of f32, in one lane.
// uses: lib/append_lane_plain.wgsl
// uses: lib/kv_f32.wgsl
