// The rows that a team multiplies at once: the first rows_at_once (1, 2 or 4) of four. They share what
// is read of the input, which pays where a load is dear: on a software adapter. A GPU wants more loads
// under way instead, and so more teams with fewer rows. The kernel declares rows_at_once.
// uses: lib/dot_{act}.wgsl
// uses: lib/team_{reduce}.wgsl

// Turns that a lane takes at once, so that a compiler asks for the weights of all before it waits for
// one: 4 where a row is a multiple of so many, else 1. A loop for what is left would cost more than it
// brings, as code that runs once does.
override turns_at_once: u32 = 1;

// This invocation's share of each row's product with the input.
fn row_dots(rows: vec4u, team: Team) -> vec4f {
  if (rows_at_once == 1) {
    return vec4f(row_dot(rows.x, team.lane, team.size), 0, 0, 0);
  }
  if (rows_at_once == 2) {
    return vec4f(row_dot2(rows.xy, team.lane, team.size), 0, 0);
  }
  return row_dot4(rows, team.lane, team.size);
}

// The sums of these shares over a part of the team. Every invocation of the workgroup calls it, in
// uniform control flow.
fn part_sums(dots: vec4f, lane: u32) -> vec4f {
  if (rows_at_once == 1) {
    return vec4f(part_sum(dots.x, lane), 0, 0, 0);
  }
  if (rows_at_once == 2) {
    return vec4f(part_sum2(dots.xy, lane), 0, 0);
  }
  return part_sum4(dots, lane);
}
