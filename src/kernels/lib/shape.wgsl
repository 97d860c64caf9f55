// The shape of a weight, from which the addresses in it are made. A pipeline of one shape may know it: an
// address takes fewer instructions then, and waits for nothing. Else the kernel's params tell, which
// declare all of these names. Loops over a row are counted by params.in_dim4 all the same: a compiler
// would unroll what it can count, and long code that runs once is slow code.

override known_in_dim4: u32 = 0;  // 0: not known
override known_scales_at: u32 = 0;
override known_supers_at: u32 = 0;
override known_high_at: u32 = 0;
override known_group4: u32 = 0;

fn in_dim4() -> u32 {
  return select(params.in_dim4, known_in_dim4, known_in_dim4 > 0);
}

// Where the planes of a quantised weight begin, in words.
fn scales_at() -> u32 {
  return select(params.scales_at, known_scales_at, known_scales_at > 0);
}

fn supers_at() -> u32 {
  return select(params.supers_at, known_supers_at, known_supers_at > 0);
}

fn high_at() -> u32 {
  return select(params.high_at, known_high_at, known_high_at > 0);
}

// Values that share a scale, / 4.
fn group4() -> u32 {
  return select(params.group4, known_group4, known_group4 > 0);
}
