// Counter-based random numbers, bit for bit those of base/random.h: pcg4d of Jarzynski and Olano,
// "Hash Functions for GPU Rendering" (JCGT 9(3), 2020).

fn random_bits(seed_low: u32, seed_high: u32, position: u32, index: u32) -> u32 {
  var v = vec4u(seed_low, seed_high, position, index) * 1664525u + 1013904223u;
  v.x += v.y * v.w;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v.w += v.y * v.z;
  v ^= v >> vec4u(16u);
  return v.x + v.y * v.w;
}

// Strictly between 0 and 1, in steps of 2^-23.
fn random_uniform(seed_low: u32, seed_high: u32, position: u32, index: u32) -> f32 {
  return (f32(random_bits(seed_low, seed_high, position, index) >> 9) + 0.5) * 0x1p-23;
}
