// store8: eight neighbouring values of the next matrix's input, as that matrix wants them. The kernel
// declares next: array<u32> and params.next_dim.
//
//   format  what lies in words [0, next_words())
//   0       f32 values in their order
//   1       8 bits (lib/quantised8.wgsl), for 4-bit codes
//   2       8 bits, for codes of a byte
//   3       16 bits (lib/halves8.wgsl), for 4-bit codes
//   4       16 bits, for f16 weights
//
// Of each 32 values in 8 bits: vec4u of codes of the first 16, of the last 16, vec4f of scales, vec4f of
// sums; each of the four lies with its like, so that neighbouring lanes read neighbouring bytes. In 16
// bits all halves come first, then a scale for each eight. Behind the values, from the next multiple of
// four words on, lie sums of squares, for the norm that the reader applies.
// uses: lib/quantised8.wgsl
// uses: lib/halves8.wgsl

override next_format: u32 = 0;

fn next_words() -> u32 {
  if (next_format == 0) {
    return params.next_dim;
  }
  return select(params.next_dim / 2, (params.next_dim / 8 * 5 + 3) / 4 * 4, next_format >= 3);
}

fn store8(block: u32, a: vec4f, b: vec4f) {
  if (next_format == 0) {
    for (var i = 0u; i < 4u; i++) {
      next[8 * block + i] = bitcast<u32>(a[i]);
      next[8 * block + 4 + i] = bitcast<u32>(b[i]);
    }
    return;
  }
  if (next_format >= 3) {
    let eight = halves8(a, b, next_format == 3);
    for (var i = 0u; i < 4u; i++) {
      next[4 * block + i] = eight.halves[i];
    }
    next[params.next_dim / 2 + block] = bitcast<u32>(eight.scale);
    return;
  }
  let eight = quantised8(a, b, next_format == 1);
  let n_chunks = params.next_dim / 32;
  let chunk = block / 4;
  let place = block % 4;
  let codes_at = 4 * (place / 2 * n_chunks + chunk) + 2 * (place % 2);
  next[codes_at] = eight.codes.x;
  next[codes_at + 1] = eight.codes.y;
  next[4 * (2 * n_chunks + chunk) + place] = bitcast<u32>(eight.scale);
  next[4 * (3 * n_chunks + chunk) + place] = bitcast<u32>(eight.sum);
}

// The sum of squares number i.
fn store_squares(i: u32, sum: f32) {
  next[next_words() + i] = bitcast<u32>(sum);
}
