// How tokens are chosen, as ops::SamplingWords lays it out.

struct Sampling {
  inverse_temperature: f32,  // 0: greedy
  seed_low: u32,
  seed_high: u32,
  top_k: u32,
  top_p: u32,         // in units of 2^-32
  log_min_p: f32,     // -infinity: no such filter
  repeat_penalty: f32,
  inverse_repeat_penalty: f32,
  frequency_penalty: f32,
  presence_penalty: f32,
}

// One multiplication, which rounds correctly everywhere: all kernels and the host get the same bits.
fn scaled_logit(logit: f32) -> f32 {
  return select(logit * sampling.inverse_temperature, logit, sampling.inverse_temperature == 0.0);
}
