// Safetensors: named tensors in a file, after a JSON header that says where each one lies. Reads
// one file or a sharded folder by mapping it, trusts none of its bytes, and copies nothing. Refuses
// what the format forbids (holes, overlaps, trailing bytes) and the element types handloom has no
// use for.
//
// Format: https://github.com/huggingface/safetensors#format
#pragma once

#include "formats/checkpoint.h"

#include <functional>
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

/// What the format calls a plain type, such as "BF16"; "" if it has no name for it.
std::string_view safetensors_dtype(DType dtype);

/// What of a tensor stands in the header of a file to be written.
struct SafetensorsTensor {
  std::string name;
  DType dtype = DType::f32;  // plain
  Shape shape;
};

/// The bytes of tensor `i`, as many as its type and shape say, valid until the next call. Its error
/// ends the writing.
using SafetensorsBytes = std::function<Result<std::span<const std::byte>>(size_t i)>;

/// Writes one file of tensors that need not fit in memory together, complete or not at all. They
/// lie in this order, without holes; each one's bytes are asked for when their turn comes. Errors:
/// invalid_argument (a name that is doubled or not UTF-8, a quantised type, bytes that contradict a
/// shape), io.
Result<void> write_safetensors_stream(const std::string& path,
                                      std::span<const SafetensorsTensor> tensors,
                                      const std::map<std::string, std::string>& metadata,
                                      const SafetensorsBytes& bytes_of);

/// Writes one file that open_safetensors reads, complete or not at all. Every tensor begins at a
/// multiple of its element size. Errors: those of write_safetensors_stream.
Result<void> write_safetensors(const std::string& path, std::span<const TensorInfo> tensors,
                               const std::map<std::string, std::string>& metadata = {});

/// Writes one NumPy array (.npy v1.0). NumPy has no bf16: such a tensor is written as f32.
Result<void> write_npy(const std::string& path, const TensorInfo& tensor);

}  // namespace handloom::formats
