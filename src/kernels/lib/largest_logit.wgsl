// Logits relative to the largest one, of which sample_maxima has left the order keys.
//
// uses: lib/order_key.wgsl
// uses: lib/reduce_best.wgsl
// uses: lib/sampling.wgsl

// Every invocation calls it, in uniform control flow, and gets the result.
fn largest_scaled_logit(n_maxima: u32, lane: u32) -> f32 {
  var largest = 0u;
  for (var i = lane; i < n_maxima; i += workgroup_size) {
    largest = max(largest, maxima[i]);
  }
  return scaled_logit(from_order_key(workgroup_best(vec2u(largest, 0u), lane).x));
}

// log(probability / the largest probability); of infinities, too
fn log_share(scaled: f32, largest: f32) -> f32 {
  return select(scaled - largest, 0.0, order_key(scaled) == order_key(largest));
}
