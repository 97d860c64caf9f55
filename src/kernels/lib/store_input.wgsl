// store8: eight neighbouring values of the next matrix's input, as that matrix wants them. The kernel
// declares next: array<u32>, params.next_format and params.next_dim.
//
//   format  what lies in words [0, next_words())
//   0       f32 values in their order
//   1       8 bits, for 4-bit codes: of each eight values the even ones, then the odd ones
//   2       8 bits, for codes of a byte: in their order
//
// In 8 bits a value is code * scale, scale = largest of the eight / 127. Of each 32 values: vec4u of
// words of the first 16, of the last 16, vec4f of scales, vec4f of scaled sums; each of the four lies
// with its like, so that neighbouring lanes read neighbouring bytes. Behind the values lie sums of
// squares, for the norm that the reader applies.

fn next_words() -> u32 {
  return select(params.next_dim / 2, params.next_dim, params.next_format == 0);
}

fn packed_bytes(codes: vec4i) -> u32 {
  let bytes = (bitcast<vec4u>(codes) & vec4u(255)) << vec4u(0, 8, 16, 24);
  return bytes.x | bytes.y | bytes.z | bytes.w;
}

fn store8(block: u32, a: vec4f, b: vec4f) {
  if (params.next_format == 0) {
    for (var i = 0u; i < 4u; i++) {
      next[8 * block + i] = bitcast<u32>(a[i]);
      next[8 * block + 4 + i] = bitcast<u32>(b[i]);
    }
    return;
  }
  let larger = max(abs(a), abs(b));
  let largest = max(max(larger.x, larger.y), max(larger.z, larger.w));
  let scale = largest * (1.0 / 127);
  let inverse = select(0.0, 127 / largest, largest > 0x1p-120f);
  let codes_a = vec4i(round(a * inverse));
  let codes_b = vec4i(round(b * inverse));
  var words = vec2u(packed_bytes(codes_a), packed_bytes(codes_b));
  if (params.next_format == 1) {
    words = vec2u(packed_bytes(vec4i(codes_a.xz, codes_b.xz)), packed_bytes(vec4i(codes_a.yw, codes_b.yw)));
  }
  let total = codes_a + codes_b;
  let sum = scale * f32(total.x + total.y + total.z + total.w);

  let n_chunks = params.next_dim / 32;
  let chunk = block / 4;
  let place = block % 4;
  let words_at = 4 * (place / 2 * n_chunks + chunk) + 2 * (place % 2);
  next[words_at] = words.x;
  next[words_at + 1] = words.y;
  next[4 * (2 * n_chunks + chunk) + place] = bitcast<u32>(scale);
  next[4 * (3 * n_chunks + chunk) + place] = bitcast<u32>(sum);
}

// The sum of squares number i.
fn store_squares(i: u32, sum: f32) {
  next[next_words() + i] = bitcast<u32>(sum);
}
