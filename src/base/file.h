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

/// Writes to `path` + ".partial" and renames, so that `path` is complete or absent.
Result<void> write_file(const std::string& path, std::span<const std::span<const std::byte>> parts);

bool file_exists(const std::string& path);

}  // namespace handloom
