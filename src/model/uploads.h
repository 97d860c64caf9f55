// Uploads: the way of all weights from their files to the GPU, as a list of chunks that is worked
// off one by one. A chunk names the bytes that it needs before it needs them: natively they are
// mapped and at hand, in a page the host fetches them meanwhile. Nothing larger than a chunk is
// ever in the host's own memory.
#pragma once

#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/weight_source.h"
#include "gpu/device.h"
#include "ops/matrix.h"

#include <array>
#include <span>
#include <vector>

namespace handloom::model {

class Uploads {
 public:
  /// Rows of ranges, laid one below the other, from `first_row` on, fill the part.
  void add_part(const ops::Matrix::Part& part, std::span<const formats::RowRange> ranges,
                uint32_t first_row);
  /// Values one behind the other, as f32, `added` to each, fill the tensor.
  void add_vector(const gpu::Tensor& tensor, std::span<const formats::ElementRange> ranges,
                  float added);

  bool finished() const { return n_done_ == chunks_.size(); }
  /// The bytes of the next chunk, or of the one after `ahead` others, in the order in which
  /// upload() wants them; none beyond the last.
  std::vector<FileBytes> next(size_t ahead = 0) const;
  /// Repacks the next chunk, in parallel, and hands it to the GPU. `bytes`: those of next(), in
  /// memory. Error: unsupported, for a value that the type on the GPU does not reach.
  Result<void> upload(gpu::Device& device, std::span<const FileBytes> bytes);

  uint64_t done_bytes() const { return done_bytes_; }
  uint64_t total_bytes() const { return total_bytes_; }

 private:
  /// Rows of a file's tensor, among which those that a range has for the chunk lie.
  struct Slice {
    formats::RowRange range;
    uint64_t range_row = 0;  // the first of them in the range
    uint32_t first = 0;      // and in the chunk
    uint64_t source_first = 0, source_rows = 0;

    formats::TensorInfo source() const;
  };
  struct Chunk {
    gpu::Tensor tensor;
    // Of a matrix:
    PlaneLayout layout = {};  // of the whole part
    uint32_t first_row = 0;   // within the part
    uint32_t n_rows = 0;
    std::vector<Slice> slices = {};
    // Of a vector:
    std::vector<formats::ElementRange> elements = {};
    float added = 0;

    /// Tensors, or some of their rows, that the bytes of the chunk make.
    std::vector<formats::TensorInfo> sources() const;
  };

  void add(Chunk chunk);
  Result<void> upload_rows(gpu::Device& device, const Chunk& chunk,
                           std::span<const formats::TensorInfo> sources);
  static Result<void> upload_elements(gpu::Device& device, const Chunk& chunk,
                                      std::span<const formats::TensorInfo> sources);

  std::vector<Chunk> chunks_;
  size_t n_done_ = 0;                                  // of chunks_
  std::array<std::vector<uint32_t>, kPlanes> planes_;  // of a chunk, kept for the next
  uint64_t done_bytes_ = 0, total_bytes_ = 0;
};

}  // namespace handloom::model
