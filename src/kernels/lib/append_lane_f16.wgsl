// Appends to pages of f16, in one lane.
// uses: lib/append_lane_plain.wgsl
// uses: lib/kv_f16.wgsl
