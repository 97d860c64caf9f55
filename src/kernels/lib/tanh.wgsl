// tanh that neither overflows nor depends on a driver's own.

fn safe_tanh(v: f32) -> f32 {
  return 1.0 - 2.0 / (1.0 + exp(2.0 * v));  // exp may reach infinity or 0: then 1 or -1
}

// Bends v into (-cap, cap). Source: Bello et al., "Neural Combinatorial Optimization" (2016).
fn soft_capped(v: f32, cap: f32) -> f32 {
  return cap * safe_tanh(v / cap);
}

fn soft_capped4(v: vec4f, cap: f32) -> vec4f {
  return cap * (1.0 - 2.0 / (1.0 + exp(2.0 * (v / cap))));
}
