#include "formats/checkpoint.h"

#include "base/sort.h"
#include "formats/names.h"

#include <algorithm>
#include <limits>

namespace handloom::formats {

Checkpoint::Checkpoint(std::string where, std::vector<MappedFile> files,
                       std::vector<TensorInfo> tensors)
    : where_(std::move(where)), files_(std::move(files)), tensors_(std::move(tensors)) {}

Result<Checkpoint> Checkpoint::from(std::string where, std::vector<MappedFile> files,
                                    std::vector<TensorInfo> tensors) {
  sort_by(tensors, &TensorInfo::name);
  const auto twice = std::ranges::adjacent_find(tensors, {}, &TensorInfo::name);
  if (twice != tensors.end()) {
    return fail(ErrorCode::bad_format, "{}: tensor '{}' is there twice, expected once", where,
                printable(twice->name));
  }
  return Checkpoint(std::move(where), std::move(files), std::move(tensors));
}

Result<Checkpoint> Checkpoint::with_tensors(std::vector<TensorInfo> tensors) && {
  return from(std::move(where_), std::move(files_), std::move(tensors));
}

const TensorInfo* Checkpoint::find(std::string_view name) const {
  const auto it = std::ranges::lower_bound(tensors_, name, {}, &TensorInfo::name);
  return it != tensors_.end() && it->name == name ? &*it : nullptr;
}

Result<const TensorInfo*> Checkpoint::get(std::string_view name) const {
  if (const TensorInfo* tensor = find(name)) return tensor;
  std::vector<std::string_view> names;
  for (const TensorInfo& tensor : tensors_) names.push_back(tensor.name);
  return fail(ErrorCode::not_found, "{}: has no tensor '{}' among its {}{}", where_,
              printable(name), names.size(), suggestion(name, names));
}

std::optional<uint64_t> tensor_bytes(DType dtype, std::span<const uint64_t> dims) {
  if (std::ranges::find(dims, uint64_t{0}) != dims.end()) return 0;
  const auto [block_values, block_bytes] = block_size(dtype);
  const uint64_t row = dims.empty() ? 1 : dims.back();
  if (row % block_values != 0) return std::nullopt;
  constexpr uint64_t kMaxFileBytes = std::numeric_limits<int64_t>::max();
  uint64_t size = block_bytes;
  for (size_t i = 0; i < dims.size(); ++i) {
    const uint64_t factor = i + 1 == dims.size() ? row / block_values : dims[i];
    if (size > kMaxFileBytes / factor) return std::nullopt;
    size *= factor;
  }
  return size;
}

}  // namespace handloom::formats
