enable subgroups;
diagnostic(off, subgroup_uniformity);
// The invocations of a subgroup that exist: the last of a small workgroup may be smaller than others.

// Set where all subgroups of the adapter have one size, 0 elsewhere. Divisions by it are shifts then,
// which is felt in kernels that take microseconds.
override known_subgroup_size: u32 = 0;

fn subgroup_size_here() -> u32 {
  if (known_subgroup_size > 0) {
    return min(known_subgroup_size, workgroup_size);
  }
  return subgroupAdd(1u);
}
