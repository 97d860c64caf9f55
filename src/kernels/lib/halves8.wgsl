// Eight neighbouring values in 16 bits: f16 * scale, scale = largest of the eight, so that no product
// with a weight leaves what f16 can hold.

struct EightHalves {
  halves: vec4u,  // pairs of i and i + 4, for weights with 4-bit codes; else in their order
  scale: f32,
}

fn halves8(a: vec4f, b: vec4f, for_nibbles: bool) -> EightHalves {
  let larger = max(abs(a), abs(b));
  let largest = max(max(larger.x, larger.y), max(larger.z, larger.w));
  let inverse = select(0.0, 1 / largest, largest > 0x1p-120f);
  let x = a * inverse;
  let y = b * inverse;
  if (for_nibbles) {
    return EightHalves(vec4u(pack2x16float(vec2f(x.x, y.x)), pack2x16float(vec2f(x.y, y.y)),
                             pack2x16float(vec2f(x.z, y.z)), pack2x16float(vec2f(x.w, y.w))), largest);
  }
  return EightHalves(vec4u(pack2x16float(x.xy), pack2x16float(x.zw), pack2x16float(y.xy),
                           pack2x16float(y.zw)), largest);
}
