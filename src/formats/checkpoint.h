// Checkpoint: the named tensors of a model, wherever they lie. Readers (safetensors.h, gguf.h,
// mlc.h) map files, trust none of their bytes, and copy nothing.
#pragma once

#include "base/dtype.h"
#include "base/file.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::formats {

/// One named tensor. `bytes` are its elements or blocks, little-endian and row-major, at any
/// alignment: copy elements out, do not cast the pointer. Does not own them.
struct TensorInfo {
  std::string name;  // as in the file: "model.layers.0.self_attn.q_proj.weight"
  DType dtype = DType::f32;
  Shape shape;  // of the values, also where codes are packed: [out_dim, in_dim]
  FileBytes bytes;

  // For the types that keep scales apart: [rows, ceil(in_dim / group)] of `scale_dtype`.
  FileBytes scales = {};
  FileBytes biases = {};           // mlx_q4: added; as many as scales
  DType scale_dtype = DType::f16;  // f16, f32 or bf16
  uint32_t group = 0;              // values along a row that share a scale

  /// What all dimensions but the last multiply to; 0 where there are no values.
  uint64_t n_rows() const {
    const uint32_t in_dim = shape.rank() == 0 ? 0 : shape.dim(shape.rank() - 1);
    return in_dim == 0 ? 0 : shape.count() / in_dim;
  }
  /// All bytes of the tensor in its file.
  uint64_t file_bytes() const { return bytes.size() + scales.size() + biases.size(); }
};

/// The tensors of a model, and the mappings that hold them. Moving it keeps every span valid.
class Checkpoint {
 public:
  /// `where` begins error messages: the path of the file, or of the index of a folder. `tensors`
  /// point into `files`, or into what the caller keeps; they may be in any order. Error: bad_format
  /// for a name given twice.
  static Result<Checkpoint> from(std::string where, std::vector<MappedFile> files,
                                 std::vector<TensorInfo> tensors);

  /// The same files with other tensors, which point into them. Error: as of from().
  Result<Checkpoint> with_tensors(std::vector<TensorInfo> tensors) &&;

  /// The tensor of this name, or nullptr.
  const TensorInfo* find(std::string_view name) const;
  /// The same, never nullptr. Error: not_found, with the file and the most similar name.
  Result<const TensorInfo*> get(std::string_view name) const;
  /// Sorted by name.
  std::span<const TensorInfo> tensors() const { return tensors_; }
  const std::string& where() const { return where_; }

 private:
  Checkpoint(std::string where, std::vector<MappedFile> files, std::vector<TensorInfo> tensors);

  std::string where_;
  std::vector<MappedFile> files_;
  std::vector<TensorInfo> tensors_;
};

/// The bytes that a tensor of this type and shape has, scale arrays not counted; nullopt if that is
/// beyond any file, or if a row is no whole number of blocks.
std::optional<uint64_t> tensor_bytes(DType dtype, std::span<const uint64_t> dims);

/// The values as f32, exactly. Errors: unsupported for an integer type; in a page those of
/// FileBytes::read().
Result<std::vector<float>> to_f32(const TensorInfo& tensor);

}  // namespace handloom::formats
