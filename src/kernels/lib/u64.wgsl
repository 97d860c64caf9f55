// Unsigned 64-bit numbers as vec2u(low, high).

fn add64(a: vec2u, b: vec2u) -> vec2u {
  let low = a.x + b.x;
  return vec2u(low, a.y + b.y + select(0u, 1u, low < a.x));
}

fn subtract64(a: vec2u, b: vec2u) -> vec2u {
  return vec2u(a.x - b.x, a.y - b.y - select(0u, 1u, a.x < b.x));
}

fn is_less64(a: vec2u, b: vec2u) -> bool {
  return a.y < b.y || (a.y == b.y && a.x < b.x);
}

fn multiply32(a: u32, b: u32) -> vec2u {
  let a_low = a & 0xffffu;
  let a_high = a >> 16u;
  let b_low = b & 0xffffu;
  let b_high = b >> 16u;
  let low = a_low * b_low;
  let middle = a_high * b_low + (low >> 16u);
  let other = a_low * b_high + (middle & 0xffffu);
  return vec2u((other << 16u) | (low & 0xffffu), a_high * b_high + (middle >> 16u) + (other >> 16u));
}

// The low 64 bits of a * b.
fn multiply64(a: vec2u, b: u32) -> vec2u {
  return multiply32(a.x, b) + vec2u(0u, a.y * b);
}

// floor(a * fraction / 2^32)
fn share64(a: vec2u, fraction: u32) -> vec2u {
  return add64(multiply32(a.y, fraction), vec2u(multiply32(a.x, fraction).y, 0u));
}
