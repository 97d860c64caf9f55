// Safetensors: named tensors in a file, after a JSON header that says where each one lies. Reads
// one file or a sharded folder by mapping it, trusts none of its bytes, and copies nothing. Refuses
// what the format forbids (holes, overlaps, trailing bytes) and the element types handloom has no
// use for.
//
// Format: https://github.com/huggingface/safetensors#format
#pragma once

#include "formats/checkpoint.h"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::formats {

/// A .safetensors file, or a folder that holds model.safetensors or, else,
/// model.safetensors.index.json and the shards it names. In a sharded folder the index decides: a
/// tensor that it does not list is not part of the checkpoint.
///
/// Errors: not_found (nothing there), bad_format (the bytes contradict the format, or a shard its
/// index), unsupported (another kind of file, an element type, more than four dimensions).
Result<Checkpoint> open_safetensors(const std::string& folder_or_file);

/// One file's bytes, which must outlive the result. `where` begins every error message.
Result<Checkpoint> parse_safetensors(std::span<const std::byte> bytes, std::string where);

/// Writes one file that open_safetensors reads, complete or not at all. Every tensor begins at a
/// multiple of its element size. Error: invalid_argument if a name is doubled or not UTF-8, or if
/// bytes contradict a shape.
Result<void> write_safetensors(const std::string& path, std::span<const TensorInfo> tensors,
                               const std::map<std::string, std::string>& metadata = {});

/// Writes one NumPy array (.npy v1.0). NumPy has no bf16: such a tensor is written as f32.
Result<void> write_npy(const std::string& path, const TensorInfo& tensor);

}  // namespace handloom::formats
