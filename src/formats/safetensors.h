// Safetensors: named tensors in a file, after a JSON header that says where each one lies. Reads
// one file or a sharded folder by mapping it, trusts none of its bytes, and copies nothing. Refuses
// what the format forbids (holes, overlaps, trailing bytes) and the element types handloom has no
// use for.
//
// Format: https://github.com/huggingface/safetensors#format
#pragma once

#include "base/dtype.h"
#include "base/file.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::formats {

/// One named tensor. `bytes` are its elements, little-endian and row-major, count * dtype_bytes of
/// them, at any alignment: copy elements out, do not cast the pointer. Does not own them.
struct TensorInfo {
  std::string name;  // "model.layers.0.self_attn.q_proj.weight"
  DType dtype = DType::f32;
  Shape shape;
  std::span<const std::byte> bytes;
};

/// The tensors of a model, and the mappings that hold them. Moving it keeps every span valid.
class Checkpoint {
 public:
  /// A .safetensors file, or a folder that holds model.safetensors or, else,
  /// model.safetensors.index.json and the shards it names. In a sharded folder the index decides: a
  /// tensor that it does not list is not part of the checkpoint.
  ///
  /// Errors: not_found (nothing there), bad_format (the bytes contradict the format, or a shard its
  /// index), unsupported (another kind of file, an element type, more than four dimensions).
  static Result<Checkpoint> open(const std::string& folder_or_file);

  /// One file's bytes, which must outlive the result. `where` begins every error message.
  static Result<Checkpoint> parse(std::span<const std::byte> bytes, std::string where);

  /// The tensor of this name, or nullptr.
  const TensorInfo* find(std::string_view name) const;
  /// The same, never nullptr. Error: not_found, with the file and the most similar name.
  Result<const TensorInfo*> get(std::string_view name) const;
  /// Sorted by name.
  std::span<const TensorInfo> tensors() const { return tensors_; }
  /// The path of the file, or of the index of a sharded folder.
  const std::string& where() const { return where_; }

 private:
  Checkpoint(std::string where, std::vector<MappedFile> files, std::vector<TensorInfo> tensors);
  static Result<Checkpoint> open_file(const std::string& path);
  static Result<Checkpoint> open_index(const std::string& folder, const std::string& index_path);

  std::string where_;
  std::vector<MappedFile> files_;
  std::vector<TensorInfo> tensors_;
};

/// The bytes that a tensor of this type and shape has; nullopt if that is beyond any file.
std::optional<uint64_t> tensor_bytes(DType dtype, std::span<const uint64_t> dims);

/// Writes one file that Checkpoint::open reads, complete or not at all. Every tensor begins at a
/// multiple of its element size. Error: invalid_argument if a name is doubled or not UTF-8, or if
/// bytes contradict a shape.
Result<void> write_safetensors(const std::string& path, std::span<const TensorInfo> tensors,
                               const std::map<std::string, std::string>& metadata = {});

/// Writes one NumPy array (.npy v1.0). NumPy has no bf16: such a tensor is written as f32.
Result<void> write_npy(const std::string& path, const TensorInfo& tensor);

/// The elements as f32, exactly. Error: unsupported unless the tensor is f32, f16 or bf16.
Result<std::vector<float>> to_f32(const TensorInfo& tensor);

}  // namespace handloom::formats
