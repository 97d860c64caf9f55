// Uploader: weights from a checkpoint to the GPU. Rows are repacked in parallel, a chunk at a time,
// so that the host never holds more than a chunk of a tensor beside the mapped file.
#pragma once

#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/repack.h"
#include "formats/tensor_names.h"
#include "gpu/device.h"
#include "ops/matrix.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::model {

/// How plain matrices are stored on the GPU. Quantised ones stay as they are; norms and biases are
/// always f32, which is exact.
enum class WeightStorage {
  as_in_file,  // f32, f16 or bf16, each exact
  f16,         // rounded to nearest; a value beyond f16's range is refused
};

/// Called after each chunk that was handed to the GPU. A host that can wait does so here, now and
/// then, for what was handed over takes memory until the GPU has taken it. An error ends the
/// loading.
using OnBytes = std::function<Result<void>(uint64_t done_bytes, uint64_t total_bytes)>;

/// Rows of a file's tensor that become rows of a weight.
struct Piece {
  const formats::TensorInfo* source = nullptr;
  uint64_t first_row = 0;
  uint32_t n_rows = 0;
  /// Not 0: a head's rows, so many, are permuted, as GGUF has the queries and keys of a Llama: row
  /// [half][j] of ours lies at [j][half].
  uint32_t permuted_head = 0;

  uint64_t source_row(uint32_t row) const;
};

class Uploader {
 public:
  Uploader(gpu::Device& device, const formats::Checkpoint& checkpoint, formats::Naming naming,
           WeightStorage storage, const OnBytes& on_bytes);

  /// The file's tensor for ours, or nullptr.
  const formats::TensorInfo* find(std::string_view ours) const;
  /// All `rows` of the tensor, whose shape must be [.., in_dim] of so many. Errors: not_found,
  /// bad_format, unsupported.
  Result<Piece> piece(std::string_view ours, uint32_t rows, uint32_t in_dim) const;

  /// Vectors one after the other, as f32, `offset` added: norms and biases.
  Result<gpu::Tensor> vector(std::string name,
                             std::initializer_list<std::pair<std::string_view, uint32_t>> sources,
                             float offset = 0);
  /// The rows of all pieces, one below the other. Parts of the result hold whole units of so many
  /// rows. Errors: those of the device and of repacking.
  Result<ops::Matrix> matrix(std::string name, const std::vector<Piece>& pieces, uint32_t in_dim,
                             uint32_t unit_rows = 1);

 private:
  DType stored_dtype(const formats::TensorInfo& source) const;
  Result<void> add_parts(const std::string& name, std::span<const Piece> pieces, uint32_t in_dim,
                         uint32_t unit_rows, ops::Matrix& matrix);
  Result<void> fill(const ops::Matrix::Part& part, std::span<const Piece> pieces,
                    uint32_t first_row);

  gpu::Device& device_;
  const formats::Checkpoint& checkpoint_;
  formats::Naming naming_;
  WeightStorage storage_;
  const OnBytes& on_bytes_;
  uint64_t done_bytes_ = 0;
  uint64_t total_bytes_ = 0;
};

}  // namespace handloom::model
