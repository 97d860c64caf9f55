// Whether MLC's shards are the bytes that their index has the sums of.
#pragma once

#include "formats/mlc.h"

#include <span>

namespace handloom::formats {

/// Reads every byte of `files`, the shards in their order. Nothing in a page, whose shards are
/// never in memory as a whole: web/src/sums.ts compares them where they are fetched. Errors:
/// bad_format.
Result<void> check_mlc_sums(std::span<const MlcShard> shards, std::span<const MappedFile> files);

}  // namespace handloom::formats
