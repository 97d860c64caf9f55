// Files: mapped for reading, written whole or not at all.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace handloom {

/// A read-only mapping of a whole file. An empty file maps to an empty span.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  MappedFile(std::string path, std::span<const std::byte> bytes)
      : path_(std::move(path)), bytes_(bytes) {}

  std::string path_;
  std::span<const std::byte> bytes_;
};

/// Bytes of a mapping that will not be read again soon: the system may forget their pages.
void release_pages(std::span<const std::byte> mapped);

/// The whole file as text. `max_bytes` guards against a path that is not what it should be.
Result<std::string> read_text_file(const std::string& path, size_t max_bytes = size_t{1} << 30);

/// A file that is written piece by piece to `path` + ".partial" and gets its name in finish(), so
/// that `path` is complete or as it was before. Removed by the destructor unless finished.
class PartialFile {
 public:
  static Result<PartialFile> create(std::string path);
  PartialFile(PartialFile&& other) noexcept;
  PartialFile& operator=(PartialFile&&) = delete;
  ~PartialFile();

  Result<void> append(std::span<const std::byte> bytes);
  Result<void> finish();

 private:
  PartialFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string partial() const { return path_ + ".partial"; }

  std::string path_;
  int fd_;  // -1 once finished or moved from
};

/// All `parts`, one after the other, as a PartialFile.
Result<void> write_file(const std::string& path, std::span<const std::span<const std::byte>> parts);

bool file_exists(const std::string& path);

}  // namespace handloom
