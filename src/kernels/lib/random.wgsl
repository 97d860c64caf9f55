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

// -log(u) to a few units in the last place, also near 1, where log(u) alone may be off by more than
// its size: there log(u) = -2 atanh((1 - u) / (1 + u)), of which the series is summed.
fn negative_log(u: f32) -> f32 {
  let s = (1.0 - u) / (1.0 + u);
  let t = s * s;
  let series = 1.0 + t * (1.0 / 3.0 + t * (1.0 / 5.0 + t * (1.0 / 7.0 + t * (1.0 / 9.0 +
               t * (1.0 / 11.0 + t * (1.0 / 13.0 + t / 15.0))))));
  return select(-log(u), 2.0 * s * series, u > 0.5);
}

// Gumbel noise: the largest sum of a logit and its noise is a draw from the softmax.
fn gumbel_noise(seed_low: u32, seed_high: u32, position: u32, index: u32) -> f32 {
  return -log(negative_log(random_uniform(seed_low, seed_high, position, index)));
}
