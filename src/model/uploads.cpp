#include "model/uploads.h"

#include "base/parallel.h"
#include "formats/repack.h"

#include <algorithm>
#include <optional>

namespace handloom::model {
namespace {

using formats::ElementRange;
using formats::RowRange;
using formats::TensorInfo;

// Of GPU planes. In a page, several lie in JavaScript's memory at once, and as garbage.
constexpr uint64_t kChunkBytes = uint64_t{sizeof(void*) == 4 ? 4 : 16} << 20;
constexpr uint32_t kRowsPerTask = 32;

/// Rows `first`.. of what a tensor keeps by rows.
FileBytes rows_at(const FileBytes& all, uint64_t n_rows, uint64_t first, uint64_t n) {
  const uint64_t row_bytes = all.size() / n_rows;
  return all.subspan(first * row_bytes, n * row_bytes);
}

/// The arrays of a tensor that have bytes.
template <class Tensor, class Do>
void for_each_array(Tensor& tensor, const Do& act) {
  act(tensor.bytes);
  if (!tensor.scales.empty()) act(tensor.scales);
  if (!tensor.biases.empty()) act(tensor.biases);
}

}  // namespace

TensorInfo Uploads::Slice::source() const {
  TensorInfo rows = *range.tensor;
  const uint64_t n = rows.n_rows();
  for_each_array(rows, [&](FileBytes& all) { all = rows_at(all, n, source_first, source_rows); });
  return rows;
}

std::vector<TensorInfo> Uploads::Chunk::sources() const {
  std::vector<TensorInfo> all;
  for (const Slice& slice : slices) all.push_back(slice.source());
  for (const ElementRange& range : elements) all.push_back(*range.tensor);
  return all;
}

void Uploads::add_part(const ops::Matrix::Part& part, std::span<const RowRange> ranges,
                       uint32_t first_row) {
  const PlaneLayout layout = part.layout();
  uint64_t words_per_row = 0;
  for (const uint32_t words : layout.words_per_row) words_per_row += words;
  const auto chunk_rows = static_cast<uint32_t>(
      std::clamp<uint64_t>(kChunkBytes / (4 * words_per_row), 1, part.n_rows()));
  for (uint32_t first = 0; first < part.n_rows(); first += chunk_rows) {
    Chunk chunk{.tensor = part.tensor,
                .layout = layout,
                .first_row = first,
                .n_rows = std::min(chunk_rows, part.n_rows() - first)};
    const uint64_t begin = uint64_t{first_row} + first, end = begin + chunk.n_rows;
    uint64_t range_begin = 0;  // among the rows of all ranges
    for (const RowRange& range : ranges) {
      const uint64_t from = std::max(begin, range_begin);
      const uint64_t to = std::min(end, range_begin + range.n_rows);
      if (from < to) {
        // A head's rows change places among themselves.
        const uint64_t unit = range.order == formats::HeadOrder::same ? 1 : range.head_dim;
        const uint64_t lowest = (from - range_begin) / unit * unit;
        const uint64_t highest = (to - range_begin + unit - 1) / unit * unit;
        chunk.slices.push_back({.range = range,
                                .range_row = from - range_begin,
                                .first = static_cast<uint32_t>(from - begin),
                                .source_first = range.first_row + lowest,
                                .source_rows = highest - lowest});
      }
      range_begin += range.n_rows;
    }
    add(std::move(chunk));
  }
}

void Uploads::add_vector(const gpu::Tensor& tensor, std::span<const ElementRange> ranges,
                         float added) {
  add({.tensor = tensor, .elements = {ranges.begin(), ranges.end()}, .added = added});
}

void Uploads::add(Chunk chunk) {
  for (const TensorInfo& source : chunk.sources()) total_bytes_ += source.file_bytes();
  chunks_.push_back(std::move(chunk));
}

std::vector<FileBytes> Uploads::next(size_t ahead) const {
  std::vector<FileBytes> wanted;
  if (ahead >= chunks_.size() - n_done_) return wanted;
  for (const TensorInfo& source : chunks_[n_done_ + ahead].sources()) {
    for_each_array(source, [&](const FileBytes& bytes) { wanted.push_back(bytes); });
  }
  return wanted;
}

Result<void> Uploads::upload(gpu::Device& device, std::span<const FileBytes> bytes) {
  const Chunk chunk = std::move(chunks_[n_done_++]);
  std::vector<TensorInfo> sources = chunk.sources();
  for (TensorInfo& source : sources) {
    for_each_array(source, [&](FileBytes& array) {
      array = bytes.front();
      bytes = bytes.subspan(1);
    });
    done_bytes_ += source.file_bytes();
  }
  CHECK_OK(chunk.elements.empty() ? upload_rows(device, chunk, sources)
                                  : upload_elements(device, chunk, sources));
  for (const TensorInfo& source : sources) release_pages(source.bytes);
  return {};
}

Result<void> Uploads::upload_elements(gpu::Device& device, const Chunk& chunk,
                                      std::span<const TensorInfo> sources) {
  std::vector<float> values;
  for (size_t i = 0; i < sources.size(); ++i) {
    const ElementRange& range = chunk.elements[i];
    TRY(const std::vector<float>& read,
        formats::read_elements({.tensor = &sources[i], .first = range.first, .n = range.n}));
    values.insert(values.end(), read.begin(), read.end());
  }
  for (float& value : values) value += chunk.added;
  device.write(chunk.tensor, std::as_bytes(std::span(values)));
  return {};
}

Result<void> Uploads::upload_rows(gpu::Device& device, const Chunk& chunk,
                                  std::span<const TensorInfo> sources) {
  const PlaneLayout& layout = chunk.layout;
  for (size_t p = 0; p < kPlanes; ++p) {
    // Rows may end in padding, which stays 0 through all chunks of a part.
    const size_t words = size_t{chunk.n_rows} * layout.words_per_row[p];
    if (chunk.first_row == 0) planes_[p].assign(words, 0);
  }
  const auto repack = [&](uint32_t row) -> Result<void> {
    const auto slice = std::prev(std::ranges::upper_bound(chunk.slices, row, {}, &Slice::first));
    const uint64_t source_row = slice->range.source_row(slice->range_row + row - slice->first);
    formats::RowPlanes out{};
    for (size_t p = 0; p < kPlanes; ++p) {
      out[p] = planes_[p].data() + size_t{row} * layout.words_per_row[p];
    }
    const TensorInfo& source = sources[static_cast<size_t>(slice - chunk.slices.begin())];
    return formats::repack_row(source, source_row - slice->source_first, layout, out);
  };

  const uint32_t n_tasks = (chunk.n_rows + kRowsPerTask - 1) / kRowsPerTask;
  std::vector<Result<void>> outcomes(n_tasks);
  parallel_for(n_tasks, [&](size_t task) {
    const auto begin = static_cast<uint32_t>(task) * kRowsPerTask;
    const uint32_t end = std::min(chunk.n_rows, begin + kRowsPerTask);
    for (uint32_t row = begin; row < end && outcomes[task]; ++row) outcomes[task] = repack(row);
  });
  for (Result<void>& outcome : outcomes) CHECK_OK(std::move(outcome));

  for (size_t p = 0; p < kPlanes; ++p) {
    const uint64_t words = layout.words_per_row[p];
    if (words == 0) continue;
    const auto rows = std::span(planes_[p]).first(chunk.n_rows * words);
    device.write(chunk.tensor, std::as_bytes(rows),
                 4 * (layout.first_word[p] + chunk.first_row * words));
  }
  return {};
}

}  // namespace handloom::model
