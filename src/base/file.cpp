// What is the same of files natively and in a page.
#include "base/file.h"

#include <algorithm>

namespace handloom {

FileBytes FileBytes::subspan(uint64_t offset, uint64_t size) const {
  const auto first = static_cast<size_t>(std::min<uint64_t>(offset, here_.size()));
  const auto n = static_cast<size_t>(std::min<uint64_t>(size, here_.size() - first));
  return {here_.subspan(first, n), file_, offset_ + offset, size};
}

Result<std::string> read_text_file(const std::string& path, size_t max_bytes) {
  TRY(const MappedFile file, MappedFile::open(path));
  const uint64_t size = file.bytes().size();
  if (size > max_bytes) {
    return fail(ErrorCode::bad_format, "{}: has {} bytes, expected at most {}", path, size,
                max_bytes);
  }
  TRY(const auto bytes, file.bytes().read(0, size));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Result<void> write_file(const std::string& path,
                        std::span<const std::span<const std::byte>> parts) {
  TRY(PartialFile file, PartialFile::create(path));
  for (const std::span<const std::byte> part : parts) CHECK_OK(file.append(part));
  return file.finish();
}

}  // namespace handloom
