#include "model/upload.h"

#include "base/parallel.h"

#include <algorithm>
#include <array>
#include <mutex>

namespace handloom::model {
namespace {

using formats::TensorInfo;

constexpr uint64_t kChunkBytes = uint64_t{16} << 20;  // of GPU planes, repacked at a time
constexpr uint32_t kRowsPerTask = 32;

uint64_t rows_of(const TensorInfo& t) {
  const uint32_t in_dim = t.shape.dim(t.shape.rank() - 1);
  return in_dim == 0 ? 0 : t.shape.count() / in_dim;
}

/// Rows `first`.. of pieces laid one below the other.
struct RowFinder {
  std::span<const Piece> pieces;

  std::pair<const TensorInfo*, uint64_t> find(uint64_t row) const {
    for (const Piece& piece : pieces) {
      if (row < piece.n_rows) {
        return {piece.source, piece.source_row(static_cast<uint32_t>(row))};
      }
      row -= piece.n_rows;
    }
    return {nullptr, 0};
  }
};

}  // namespace

uint64_t Piece::source_row(uint32_t row) const {
  if (permuted_head == 0) return first_row + row;
  const uint32_t head = row / permuted_head, i = row % permuted_head;
  const uint32_t half_dim = permuted_head / 2;
  const uint32_t in_head = i % half_dim * 2 + i / half_dim;
  return first_row + uint64_t{head} * permuted_head + in_head;
}

Uploader::Uploader(gpu::Device& device, const formats::Checkpoint& checkpoint,
                   formats::Naming naming, WeightStorage storage, const OnBytes& on_bytes)
    : device_(device),
      checkpoint_(checkpoint),
      naming_(naming),
      storage_(storage),
      on_bytes_(on_bytes) {
  for (const TensorInfo& t : checkpoint.tensors()) total_bytes_ += t.file_bytes();
}

const TensorInfo* Uploader::find(std::string_view ours) const {
  for (const std::string& name : formats::names_in_file(naming_, ours)) {
    if (const TensorInfo* tensor = checkpoint_.find(name)) return tensor;
  }
  return nullptr;
}

Result<Piece> Uploader::piece(std::string_view ours, uint32_t rows, uint32_t in_dim) const {
  const TensorInfo* source = find(ours);
  if (source == nullptr) {
    TRY(source, checkpoint_.get(formats::names_in_file(naming_, ours).back()));
  }
  const Shape& shape = source->shape;
  if (shape.rank() == 0 || shape.dim(shape.rank() - 1) != in_dim || rows_of(*source) != rows) {
    const Shape expected = rows == 1 && shape.rank() < 2 ? Shape{in_dim} : Shape{rows, in_dim};
    return fail(ErrorCode::bad_format, "{}: tensor '{}' has shape {}, the config says {}",
                checkpoint_.where(), source->name, to_string(shape), to_string(expected));
  }
  CHECK_OK(formats::check_repackable(*source, checkpoint_.where()));
  return Piece{.source = source, .n_rows = rows};
}

Result<gpu::Tensor> Uploader::vector(
    std::string name, std::initializer_list<std::pair<std::string_view, uint32_t>> sources,
    float offset) {
  std::vector<float> values;
  for (const auto& [ours, dim] : sources) {
    TRY(const Piece part, piece(ours, 1, dim));
    TRY(const std::vector<float> read, formats::to_f32(*part.source));
    values.insert(values.end(), read.begin(), read.end());
    done_bytes_ += part.source->file_bytes();
  }
  for (float& value : values) value += offset;
  TRY(gpu::Tensor tensor,
      device_.create_tensor(std::move(name), DType::f32, {static_cast<uint32_t>(values.size())},
                            gpu::MemoryKind::weights));
  device_.write(tensor, std::as_bytes(std::span(values)));
  if (on_bytes_) CHECK_OK(on_bytes_(done_bytes_, total_bytes_));
  return tensor;
}

DType Uploader::stored_dtype(const TensorInfo& source) const {
  if (is_quantised(source.dtype)) return gpu_dtype(source.dtype);
  return storage_ == WeightStorage::f16 ? DType::f16 : source.dtype;
}

Result<ops::Matrix> Uploader::matrix(std::string name, const std::vector<Piece>& pieces,
                                     uint32_t in_dim, uint32_t unit_rows) {
  ops::Matrix matrix;
  // Neighbours of one type lie in one tensor.
  for (size_t first = 0, last; first < pieces.size(); first = last) {
    const TensorInfo& source = *pieces[first].source;
    for (last = first + 1; last < pieces.size(); ++last) {
      const TensorInfo& next = *pieces[last].source;
      if (stored_dtype(next) != stored_dtype(source) || next.group != source.group) break;
    }
    CHECK_OK(
        add_parts(name, std::span(pieces).subspan(first, last - first), in_dim, unit_rows, matrix));
  }
  for (const Piece& piece : pieces) release_pages(piece.source->bytes);
  return matrix;
}

Result<void> Uploader::add_parts(const std::string& name, std::span<const Piece> pieces,
                                 uint32_t in_dim, uint32_t unit_rows, ops::Matrix& matrix) {
  const TensorInfo& source = *pieces.front().source;
  const DType dtype = stored_dtype(source);
  const uint32_t group = source.group > 0 ? source.group : 32;
  uint32_t n_rows = 0;
  for (const Piece& piece : pieces) n_rows += piece.n_rows;
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
    CHECK_OK(fill(part, pieces, first));
    matrix.parts.push_back(std::move(part));
  }
  return {};
}

Result<void> Uploader::fill(const ops::Matrix::Part& part, std::span<const Piece> pieces,
                            uint32_t first_row) {
  const PlaneLayout layout = part.layout();
  uint64_t words_per_row = 0;
  for (const uint32_t words : layout.words_per_row) words_per_row += words;
  const auto chunk_rows = static_cast<uint32_t>(
      std::clamp<uint64_t>(kChunkBytes / (4 * words_per_row), 1, part.n_rows()));
  const RowFinder finder{pieces};

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
        const auto [source, source_row] = finder.find(uint64_t{first_row} + first + row);
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
    const TensorInfo& source = *finder.find(first_row + first).first;
    done_bytes_ += source.file_bytes() / std::max<uint64_t>(1, rows_of(source)) * n;
    if (on_bytes_) CHECK_OK(on_bytes_(std::min(done_bytes_, total_bytes_), total_bytes_));
  }
  return {};
}

}  // namespace handloom::model
