// gelu(v) = v / 2 * (1 + tanh(sqrt(2 / pi) * (v + 0.044715 * v^3))).
// Source: Hendrycks and Gimpel, "Gaussian Error Linear Units" (2016).
// uses: lib/tanh.wgsl

fn gelu(v: f32) -> f32 {
  return 0.5 * v * (1.0 + safe_tanh(0.7978845608 * (v + 0.044715 * v * v * v)));
}

fn gelu4(v: vec4f) -> vec4f {
  return vec4f(gelu(v.x), gelu(v.y), gelu(v.z), gelu(v.w));
}
