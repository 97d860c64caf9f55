// Uploader: which rows of a checkpoint make which weights on the GPU. Allocates the weights and
// adds what fills them to a list of Uploads.
#pragma once

#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/weight_source.h"
#include "gpu/device.h"
#include "model/uploads.h"
#include "ops/matrix.h"

#include <span>
#include <string>

namespace handloom::model {

/// How plain matrices are stored on the GPU. Quantised ones stay as they are; norms and biases are
/// always f32, which is exact.
enum class WeightStorage {
  as_in_file,  // f32, f16 or bf16, each exact
  f16,         // rounded to nearest; a value beyond f16's range is refused
};

/// The type in which the GPU keeps a matrix of the file.
DType stored_dtype(const formats::TensorInfo& matrix, WeightStorage storage);

class Uploader {
 public:
  /// Keeps references to all but `storage`; `checkpoint` must live until `uploads` are done.
  Uploader(gpu::Device& device, const formats::Checkpoint& checkpoint, WeightStorage storage,
           Uploads& uploads);

  /// All values one behind the other, as f32, `added` to each: norms and biases. Errors: the
  /// device's.
  Result<gpu::Tensor> vector(std::string name, std::span<const formats::ElementRange> ranges,
                             float added = 0);
  /// The rows of all ranges, one below the other; each is a row of the checkpoint's of in_dim
  /// values. Parts of the result hold whole units of so many rows. Errors: unsupported (a type, a
  /// length of rows, types that differ within a unit), those of the device.
  Result<ops::Matrix> matrix(std::string name, std::span<const formats::RowRange> ranges,
                             uint32_t in_dim, uint32_t unit_rows = 1);

 private:
  DType stored(const formats::TensorInfo& source) const { return stored_dtype(source, storage_); }
  Result<void> add_parts(const std::string& name, std::span<const formats::RowRange> ranges,
                         uint32_t in_dim, uint32_t unit_rows, ops::Matrix& matrix);

  gpu::Device& device_;
  const formats::Checkpoint& checkpoint_;
  WeightStorage storage_;
  Uploads& uploads_;
};

}  // namespace handloom::model
