// Uploader: weights from a checkpoint to the GPU. Rows are repacked in parallel, a chunk at a time,
// so that the host never holds more than a chunk of a tensor beside the mapped file.
#pragma once

#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/repack.h"
#include "formats/weight_source.h"
#include "gpu/device.h"
#include "ops/matrix.h"

#include <functional>
#include <span>
#include <string>

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

class Uploader {
 public:
  /// Keeps references to all but `storage`.
  Uploader(gpu::Device& device, const formats::Checkpoint& checkpoint, WeightStorage storage,
           const OnBytes& on_bytes);

  /// f32 [values.size()]: norms and biases. Errors: the device's.
  Result<gpu::Tensor> vector(std::string name, std::span<const float> values);
  /// The rows of all ranges, one below the other; each is a row of the checkpoint's of in_dim
  /// values. Parts of the result hold whole units of so many rows. Errors: unsupported (a type, a
  /// length of rows, types that differ within a unit), those of the device and of repacking.
  Result<ops::Matrix> matrix(std::string name, std::span<const formats::RowRange> ranges,
                             uint32_t in_dim, uint32_t unit_rows = 1);

 private:
  DType stored_dtype(const formats::TensorInfo& source) const;
  Result<void> add_parts(const std::string& name, std::span<const formats::RowRange> ranges,
                         uint32_t in_dim, uint32_t unit_rows, ops::Matrix& matrix);
  Result<void> fill(const ops::Matrix::Part& part, std::span<const formats::RowRange> ranges,
                    uint32_t first_row);
  Result<void> add_done(uint64_t bytes);

  gpu::Device& device_;
  const formats::Checkpoint& checkpoint_;
  WeightStorage storage_;
  const OnBytes& on_bytes_;
  uint64_t done_bytes_ = 0;
  uint64_t total_bytes_ = 0;
};

}  // namespace handloom::model
