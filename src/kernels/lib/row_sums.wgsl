// sum_rows: the products of a workgroup's rows with the input, for row_sum to tell behind a barrier. The
// kernel declares rows_per_workgroup and rows_from(group, i): which rows of the weight the workgroup's
// rows i to i + 3 are.
// uses: lib/row_dots.wgsl

// That the teams take for the workgroup's rows: as many for each, so that a team may hold a barrier.
override rounds: u32 = 1;

var<workgroup> row_parts: array<f32, rows_per_workgroup * parts_per_team>;

// n_rows: those that exist. Every invocation calls it, in uniform control flow.
fn sum_rows(group: u32, n_rows: u32, lane: u32) {
  let team = team_of(lane);
  for (var round = 0u; round < rounds; round++) {
    let mine = rows_at_once * (round * team.count + team.index);
    var dots = vec4f();
    if (mine < n_rows) {
      dots = row_dots(rows_from(group, mine), team);
    }
    let sums = part_sums(dots, lane);
    if (team.part_lane == 0 && mine < n_rows) {
      for (var r = 0u; r < rows_at_once; r++) {
        row_parts[(mine + r) * parts_per_team + team.part] = sums[r];
      }
    }
  }
}

fn row_sum(i: u32) -> f32 {
  var sum = row_parts[i * parts_per_team];
  for (var part = 1u; part < parts_per_team; part++) {
    sum += row_parts[i * parts_per_team + part];
  }
  return sum;
}
