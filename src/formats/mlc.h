// MLC folders: shards of raw tensors (params_shard_0.bin, ...) and an index that says where each
// tensor lies and what the shard's MD5 sum is. Maps the shards, checks them against the index, and
// joins the codes and scales of a quantised matrix into one tensor.
//
// Layout: TVM's python/tvm/contrib/tvmjs.py writes it.
#pragma once

#include "formats/checkpoint.h"
#include "formats/mlc_config.h"

#include <string>
#include <string_view>
#include <vector>

namespace handloom::formats {

/// A tensor as the index lists it.
struct MlcRecord {
  std::string name;  // "model.layers.0.mlp.down_proj.q_weight"
  DType dtype = DType::f32;
  Shape shape;
  uint64_t offset = 0, n_bytes = 0;  // within the shard
};

struct MlcShard {
  std::string file;                // within the folder: "params_shard_0.bin"
  uint64_t n_bytes = 0;            // of the whole file
  std::string md5;                 // 32 lower-case digits; empty: the index states none
  std::vector<MlcRecord> records;  // in the order of their offsets, apart from one another
};

/// The whole of an index, in either of its forms: records within shards, or records alone, each
/// with the file it lies in. What "f32-to-bf16" made bf16 of f32 is listed as bf16. Errors:
/// bad_format, unsupported (an element type).
Result<std::vector<MlcShard>> parse_mlc_index(std::string_view json, std::string where);

/// Makes one tensor NAME.weight of each NAME.q_weight and NAME.q_scale; passes on the others.
///
/// The tensor is mlc_q4, mlc_q4f32 or mlc_q3, of shape [rows, columns], or [experts, rows,
/// columns]. MLC fills rows up to whole groups (32 values, or 40 with 3 bits), so its bytes may be
/// more than the shape needs: row r begins at byte r * 16 * ceil(columns / group). The columns are
/// those that the configuration gives for a matrix of that name, if they make as many groups as
/// there are, else all that were stored: a caller finds out when it compares shapes. A scale_dtype
/// of bf16 holds the f32 scales of q4f32_1, as MLC's "f32-to-bf16" rounded them.
///
/// Errors: bad_format (a part is missing, or parts do not fit together or the configuration).
Result<std::vector<TensorInfo>> join_mlc(std::vector<TensorInfo> tensors, const MlcConfig& mlc,
                                         std::string_view where);

/// `folder` holds mlc-chat-config.json, tensor-cache.json or ndarray-cache.json, and the shards
/// these name. Reads every byte, for the MD5 sums. Names are the files' own, see mlc_names.h.
///
/// Errors: not_found (a file), bad_format (anything contradicts the index), unsupported, io.
Result<Checkpoint> open_mlc(const std::string& folder);

}  // namespace handloom::formats
