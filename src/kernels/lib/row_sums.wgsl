// sum_rows: the products of a workgroup's rows with the input, for row_sum to tell behind a barrier. The
// kernel declares rows_per_workgroup and rows_from(group, i): which rows of the weight the workgroup's
// rows i to i + 3 are.
// uses: lib/row_dots.wgsl

// That the teams take for the workgroup's rows: as many for each, so that a team may hold a barrier.
override rounds: u32 = 1;

var<workgroup> row_parts: array<f32, rows_per_workgroup * parts_per_team>;

// Above 0: teams of so many lanes, each one part, keep four turns of the input while they multiply them
// with all their rows, then the next four; four turns of all of them must divide a row. On a software
// adapter, where loads are dear and short loops fast.
override keeping_lanes: u32 = 0;

// n_rows: those that exist. Every invocation calls it, in uniform control flow.
fn sum_rows(group: u32, n_rows: u32, lane: u32) {
  let team = team_of(lane);
  if (keeping_lanes > 0) {
    for (var turn = 0u; turn < n_turns(); turn += 4 * keeping_lanes) {
      add_kept_turns(group, n_rows, turn, team);
    }
    return;
  }
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

// Adds the products with four turns of each lane, the first of all of them `turn`, to the sums of rows.
fn add_kept_turns(group: u32, n_rows: u32, turn: u32, team: Team) {
  let first = turn + team.lane;
  var turns: array<Turn, 4>;
  for (var t = 0u; t < 4u; t++) {
    turns[t] = input_turn(first + t * keeping_lanes);
  }
  for (var round = 0u; round < rows_at_once * rounds; round++) {
    let i = round * team.count + team.index;
    var dot = 0.0;
    if (i < n_rows) {
      let row = rows_from(group, i - i % 2)[i % 2];  // it may name pairs
      for (var t = 0u; t < 4u; t++) {
        dot += turn_product(row, first + t * keeping_lanes, turns[t]);
      }
    }
    let sum = part_sum(dot, team.lane);
    if (team.lane == 0 && i < n_rows) {
      row_parts[i] = sum + select(row_parts[i], 0.0, turn == 0);
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
