// Writes GGUF version 3 files of one part. A model may be larger than memory: each tensor's bytes
// are asked for when their turn comes, and forgotten when they are written.
#pragma once

#include "base/dtype.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace handloom::formats {

/// A value of the metadata to be. Numbers keep their width: GGUF's own readers insist on u32 for
/// sizes and ids, f32 for the rest, i32 for token types.
using GgufField = std::variant<uint32_t, float, bool, std::string, std::vector<float>,
                               std::vector<int32_t>, std::vector<bool>, std::vector<std::string>>;

/// By key: "llama.block_count".
using GgufFields = std::map<std::string, GgufField>;

/// What of a tensor stands in the head of the file.
struct GgufTensor {
  std::string name;  // GGUF's: "blk.0.attn_q.weight"
  DType dtype = DType::f32;
  Shape shape;  // outermost first
};

/// The bytes of tensor `i`, as many as its type and shape say. Its error ends the writing.
using GgufTensorBytes = std::function<Result<std::vector<std::byte>>(size_t i)>;

/// Writes `path` complete or not at all. Adds general.quantization_version where a tensor is
/// quantised; everything else is the caller's, and general.architecture must be there.
///
/// Errors: invalid_argument (a doubled or too long name, a type GGUF has not, rows that are no
/// whole number of blocks, bytes that are too many or too few), io.
Result<void> write_gguf(const std::string& path, const GgufFields& fields,
                        std::span<const GgufTensor> tensors, const GgufTensorBytes& bytes_of);

}  // namespace handloom::formats
