#include "model/upload.h"

#include "base/parallel.h"

#include <algorithm>
#include <array>
#include <mutex>

namespace handloom::model {
namespace {

using formats::RowRange;
using formats::TensorInfo;

constexpr uint64_t kChunkBytes = uint64_t{16} << 20;  // of GPU planes, repacked at a time
constexpr uint32_t kRowsPerTask = 32;

}  // namespace

Uploader::Uploader(gpu::Device& device, const formats::Checkpoint& checkpoint,
                   WeightStorage storage, const OnBytes& on_bytes)
    : device_(device), checkpoint_(checkpoint), storage_(storage), on_bytes_(on_bytes) {
  for (const TensorInfo& t : checkpoint.tensors()) total_bytes_ += t.file_bytes();
}

Result<void> Uploader::add_done(uint64_t bytes) {
  done_bytes_ = std::min(total_bytes_, done_bytes_ + bytes);
  return on_bytes_ ? on_bytes_(done_bytes_, total_bytes_) : Result<void>();
}

Result<gpu::Tensor> Uploader::vector(std::string name, std::span<const float> values) {
  TRY(gpu::Tensor tensor,
      device_.create_tensor(std::move(name), DType::f32, {static_cast<uint32_t>(values.size())},
                            gpu::MemoryKind::weights));
  device_.write(tensor, std::as_bytes(values));
  // As f32: too little beside the matrices to ask what the file has.
  CHECK_OK(add_done(values.size_bytes()));
  return tensor;
}

DType Uploader::stored_dtype(const TensorInfo& source) const {
  if (is_quantised(source.dtype)) return gpu_dtype(source.dtype);
  return storage_ == WeightStorage::f16 ? DType::f16 : source.dtype;
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
      if (stored_dtype(next) != stored_dtype(source) || next.group != source.group) break;
    }
    CHECK_OK(add_parts(name, ranges.subspan(first, last - first), in_dim, unit_rows, matrix));
  }
  for (const RowRange& range : ranges) release_pages(range.tensor->bytes);
  return matrix;
}

Result<void> Uploader::add_parts(const std::string& name, std::span<const RowRange> ranges,
                                 uint32_t in_dim, uint32_t unit_rows, ops::Matrix& matrix) {
  const TensorInfo& source = *ranges.front().tensor;
  const DType dtype = stored_dtype(source);
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
    CHECK_OK(fill(part, ranges, first));
    matrix.parts.push_back(std::move(part));
  }
  return {};
}

Result<void> Uploader::fill(const ops::Matrix::Part& part, std::span<const RowRange> ranges,
                            uint32_t first_row) {
  const PlaneLayout layout = part.layout();
  uint64_t words_per_row = 0;
  for (const uint32_t words : layout.words_per_row) words_per_row += words;
  const auto chunk_rows = static_cast<uint32_t>(
      std::clamp<uint64_t>(kChunkBytes / (4 * words_per_row), 1, part.n_rows()));

  std::array<std::vector<uint32_t>, kPlanes> planes;
  for (size_t p = 0; p < kPlanes; ++p) {
    planes[p].resize(size_t{chunk_rows} * layout.words_per_row[p]);
  }
  for (uint32_t first = 0; first < part.n_rows(); first += chunk_rows) {
    const uint32_t n = std::min(chunk_rows, part.n_rows() - first);
    std::mutex mutex;
    Result<void> outcome;
    parallel_for((n + kRowsPerTask - 1) / kRowsPerTask, [&](size_t task) {
      const auto begin = static_cast<uint32_t>(task) * kRowsPerTask;
      for (uint32_t row = begin; row < std::min(n, begin + kRowsPerTask); ++row) {
        formats::RowPlanes out{};
        for (size_t p = 0; p < kPlanes; ++p) {
          out[p] = planes[p].data() + size_t{row} * layout.words_per_row[p];
        }
        const auto [source, source_row] =
            formats::find_row(ranges, uint64_t{first_row} + first + row);
        if (auto done = formats::repack_row(*source, source_row, layout, out); !done) {
          const std::scoped_lock lock(mutex);
          outcome = std::move(done);
        }
      }
    });
    if (!outcome) {
      return fail(outcome.error().code, "{}: {}", checkpoint_.where(), outcome.error().message);
    }
    for (size_t p = 0; p < kPlanes; ++p) {
      const uint64_t words = layout.words_per_row[p];
      if (words == 0) continue;
      const auto rows = std::span(planes[p]).first(n * words);
      device_.write(part.tensor, std::as_bytes(rows), 4 * (layout.first_word[p] + first * words));
    }
    const TensorInfo& source = *formats::find_row(ranges, first_row + first).first;
    CHECK_OK(add_done(source.file_bytes() / source.n_rows() * n));
  }
  return {};
}

}  // namespace handloom::model
