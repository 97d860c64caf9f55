// Quantised matrices that safetensors files hold as several tensors: codes, scales and perhaps
// biases. Joins each group into the one tensor that it means.
//
//   INT8 by blocks   X_q i8 [rows, columns], X_scale f32 [rows, columns / block]; X ends in
//   "weight" MLX affine       X.weight u32 [rows, columns / 8], X.scales and X.biases [rows,
//   columns / group]
//                    of f16, bf16 or f32; 4 bits; the group size stands in config.json
//
// Both may have one dimension more, of experts, before the rows.
#pragma once

#include "formats/checkpoint.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace handloom::formats {

/// "quantization" of the config.json of a model that MLX quantised.
struct MlxQuantization {
  uint32_t group = 0;                                         // values that share a scale; 64
  std::map<std::string, uint32_t, std::less<>> other_groups;  // by the name before ".weight"

  uint32_t group_of(std::string_view base) const;
};

/// Nothing if config.json has no such key. Errors: bad_format, unsupported (not affine, not 4 bits;
/// single matrices of more bits are found by join_grouped).
Result<std::optional<MlxQuantization>> parse_mlx_quantization(std::string_view config_json,
                                                              std::string where);

/// Joined tensors are int8_block "X" and mlx_q4 "X.weight"; all others stay. A checkpoint without
/// any such parts stays as it is. Errors: bad_format (a part is missing or does not fit),
/// unsupported (other bits, AWQ, GPTQ).
Result<Checkpoint> join_grouped(Checkpoint plain, const std::optional<MlxQuantization>& mlx);

/// open_safetensors, then join_grouped with what the config.json beside the file says.
Result<Checkpoint> open_grouped(const std::string& folder_or_file);

}  // namespace handloom::formats
