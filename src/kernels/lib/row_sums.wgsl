// sum_rows: the products of a workgroup's rows with the input, in row_sums. The kernel declares
// outputs_per_workgroup, params.out_dim and params.rounds.
// uses: lib/team_rows.wgsl

var<workgroup> row_sums: array<f32, outputs_per_workgroup>;

// Every invocation calls it, in uniform control flow; a barrier publishes what it leaves.
fn sum_rows(first_output: u32, lane: u32) {
  let team = team_of(lane);
  // Every team runs the same number of rounds, so that a team may hold a barrier.
  for (var round = 0u; round < params.rounds; round++) {
    let mine = rows_at_once * (round * team.count + team.index);
    let output = first_output + mine;
    var dots = vec4f();
    if (mine < outputs_per_workgroup && output < params.out_dim) {
      dots = row_dots(output + vec4u(0, 1, 2, 3), team);
    }
    let totals = team_sums(dots, lane);
    if (team.lane == 0 && mine < outputs_per_workgroup) {
      for (var r = 0u; r < rows_at_once; r++) {
        row_sums[mine + r] = totals[r];
      }
    }
  }
}
