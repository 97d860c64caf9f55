#include "convert/out_tensor.h"

#include "base/file.h"
#include "base/parallel.h"
#include "formats/names.h"
#include "formats/quantise.h"
#include "formats/quantised.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <span>

namespace handloom::convert {
namespace {

constexpr uint64_t kChunkValues = uint64_t{1} << 23;  // encoded between two calls of on_rows
constexpr uint64_t kTaskValues = uint64_t{1} << 16;   // that one thread takes at a time

/// The bytes of one row of a type that keeps no scales apart.
uint64_t row_bytes(DType dtype, uint32_t in_dim) {
  const auto [values, bytes] = block_size(dtype);
  return uint64_t{in_dim} / values * bytes;
}

/// Whether a row of `source` can stand in the new file as it is.
bool is_copied(const OutTensor& out, const formats::TensorInfo& source) {
  return source.dtype == out.dtype && source.group == 0;
}

/// One row of `out` to its place in `to`.
Result<void> encode_row(const OutTensor& out, uint64_t row, std::vector<float>& values,
                        Encoded& to) {
  const uint32_t in_dim = out.in_dim();
  const uint64_t size = row_bytes(out.dtype, in_dim);
  const auto place = std::span(to.bytes).subspan(row * size, size);
  const auto [source, source_row] = formats::find_row(out.rows, row);
  if (is_copied(out, *source)) {
    std::memcpy(place.data(), source->bytes.data() + source_row * size, size);
    return {};
  }
  CHECK_OK(formats::dequantise_rows(*source, source_row, 1, values));
  if (out.dtype == DType::f32) {
    std::memcpy(place.data(), values.data(), size);
    return {};
  }
  if (out.dtype != DType::int8_block) {
    return formats::quantise_rows(out.dtype, values, in_dim, place);
  }
  const uint64_t scale_bytes = uint64_t{4} * (in_dim / out.group);
  return formats::quantise_groups(out.dtype, values, in_dim, out.group, place,
                                  std::span(to.scales).subspan(row * scale_bytes, scale_bytes));
}

/// Rows `first`.. of `out`, on all cores.
Result<void> encode_rows(const OutTensor& out, uint64_t first, uint64_t n_rows, Encoded& to) {
  const uint64_t task_rows = std::max<uint64_t>(1, kTaskValues / out.in_dim());
  std::mutex mutex;
  Result<void> outcome;
  parallel_for((n_rows + task_rows - 1) / task_rows, [&](size_t task) {
    std::vector<float> values(out.in_dim());
    const uint64_t begin = task * task_rows, end = std::min(n_rows, begin + task_rows);
    for (uint64_t row = begin; row < end; ++row) {
      Result<void> done = encode_row(out, first + row, values, to);
      if (done) continue;
      const std::scoped_lock lock(mutex);
      if (outcome) outcome = std::move(done);
      return;
    }
  });
  return outcome;
}

Encoded from_values(const OutTensor& tensor) {
  const auto bytes = std::as_bytes(std::span(tensor.values));
  return {.bytes = {bytes.begin(), bytes.end()}, .scales = {}};
}

}  // namespace

uint64_t OutTensor::bytes() const { return n_rows() * row_bytes(dtype, in_dim()); }

uint64_t OutTensor::scale_bytes() const { return group == 0 ? 0 : shape.count() / group * 4; }

std::unexpected<Error> stopped() {
  return fail(ErrorCode::io, "quantize: stopped before the end, nothing is written");
}

Result<Encoded> encode(const OutTensor& tensor, const OnRows& on_rows) {
  if (tensor.rows.empty()) return from_values(tensor);
  Encoded to;
  to.bytes.resize(tensor.bytes());
  to.scales.resize(tensor.scale_bytes());
  const uint64_t n_rows = tensor.n_rows();
  const uint64_t chunk = std::max<uint64_t>(1, kChunkValues / tensor.in_dim());
  for (uint64_t first = 0; first < n_rows; first += chunk) {
    const uint64_t n = std::min(chunk, n_rows - first);
    if (auto done = encode_rows(tensor, first, n, to); !done) {
      return fail(done.error().code, "tensor '{}': {}", formats::printable(tensor.name),
                  done.error().message);
    }
    if (on_rows && !on_rows(n)) return stopped();
  }
  for (const formats::RowRange& range : tensor.rows) release_pages(range.tensor->bytes);
  return to;
}

}  // namespace handloom::convert
