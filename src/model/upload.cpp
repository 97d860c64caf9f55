#include "model/upload.h"

#include "formats/repack.h"

#include <algorithm>

namespace handloom::model {
using formats::ElementRange;
using formats::RowRange;
using formats::TensorInfo;

DType stored_dtype(const TensorInfo& matrix, WeightStorage storage) {
  if (is_quantised(matrix.dtype)) return gpu_dtype(matrix.dtype);
  return storage == WeightStorage::f16 ? DType::f16 : matrix.dtype;
}

Uploader::Uploader(gpu::Device& device, const formats::Checkpoint& checkpoint,
                   WeightStorage storage, Uploads& uploads)
    : device_(device), checkpoint_(checkpoint), storage_(storage), uploads_(uploads) {}

Result<gpu::Tensor> Uploader::vector(std::string name, std::span<const ElementRange> ranges,
                                     float added) {
  uint64_t n = 0;
  for (const ElementRange& range : ranges) n += range.n;
  TRY(gpu::Tensor tensor,
      device_.create_tensor(std::move(name), DType::f32, {static_cast<uint32_t>(n)},
                            gpu::MemoryKind::weights));
  uploads_.add_vector(tensor, ranges, added);
  return tensor;
}

Result<ops::Matrix> Uploader::matrix(std::string name, std::span<const RowRange> ranges,
                                     uint32_t in_dim, uint32_t unit_rows) {
  for (const RowRange& range : ranges) {
    CHECK_OK(formats::check_repackable(*range.tensor, checkpoint_.where()));
  }
  ops::Matrix matrix;
  // Neighbours of one type lie in one tensor.
  for (size_t first = 0, last; first < ranges.size(); first = last) {
    const TensorInfo& source = *ranges[first].tensor;
    for (last = first + 1; last < ranges.size(); ++last) {
      const TensorInfo& next = *ranges[last].tensor;
      if (stored(next) != stored(source) || next.group != source.group) break;
    }
    CHECK_OK(add_parts(name, ranges.subspan(first, last - first), in_dim, unit_rows, matrix));
  }
  return matrix;
}

Result<void> Uploader::add_parts(const std::string& name, std::span<const RowRange> ranges,
                                 uint32_t in_dim, uint32_t unit_rows, ops::Matrix& matrix) {
  const TensorInfo& source = *ranges.front().tensor;
  const DType dtype = stored(source);
  const uint32_t group = source.group > 0 ? source.group : 32;
  uint32_t n_rows = 0;
  for (const RowRange& range : ranges) n_rows += static_cast<uint32_t>(range.n_rows);
  if (n_rows % unit_rows != 0) {
    return fail(ErrorCode::unsupported,
                "{}: the matrices of an expert in '{}' have different types ({} and another), "
                "expected one type",
                checkpoint_.where(), source.name, to_string(dtype));
  }

  const Limits& limits = device_.adapter().limits;
  const uint64_t most = std::min(limits.max_binding_bytes, limits.max_buffer_bytes);
  // Planes are padded by less than a kilobyte in all.
  const uint64_t unit_bytes = plane_layout(dtype, unit_rows, in_dim, group).bytes();
  const uint64_t units = std::max<uint64_t>(1, (most - 1024) / unit_bytes);
  const auto part_rows =
      static_cast<uint32_t>(std::min<uint64_t>(n_rows, units * uint64_t{unit_rows}));

  const uint32_t begin = matrix.empty() ? 0 : matrix.out_dim();
  for (uint32_t first = 0; first < n_rows; first += part_rows) {
    const uint32_t rows = std::min(part_rows, n_rows - first);
    const PlaneLayout layout = plane_layout(dtype, rows, in_dim, group);
    ops::Matrix::Part part{.first_row = begin + first, .group = group};
    if (is_quantised(dtype)) {
      TRY(part.tensor, device_.create_packed(name, dtype, {rows, in_dim}, layout.bytes(),
                                             gpu::MemoryKind::weights));
    } else {
      TRY(part.tensor,
          device_.create_tensor(name, dtype, {rows, in_dim}, gpu::MemoryKind::weights));
    }
    uploads_.add_part(part, ranges, first);
    matrix.parts.push_back(std::move(part));
  }
  return {};
}

}  // namespace handloom::model
