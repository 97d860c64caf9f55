// Files: read where they lie, written whole or not at all. Natively (file_native.cpp) a file is
// mapped; in a page (file_web.cpp) the host has it, and hands over what is asked for.
#pragma once

#include "base/result.h"

#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handloom {

/// A range of a file's bytes. Natively they are in memory, as part of a mapping. In a page a file
/// may be larger than all memory: then at most the first of the range are here, and a Loader asks
/// for the others by their place. Does not own them.
class FileBytes {
 public:
  FileBytes() = default;
  /// All of them in memory.
  template <std::convertible_to<std::span<const std::byte>> Bytes>
  FileBytes(const Bytes& here) : here_(here), size_(here_.size()) {}  // NOLINT: meant to convert
  /// `size` bytes at `offset` of the host's file `file`, of which the first are `here`.
  FileBytes(std::span<const std::byte> here, uint32_t file, uint64_t offset, uint64_t size)
      : here_(here), file_(file), offset_(offset), size_(size) {}

  uint64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool is_here() const { return here_.size() == size_; }
  uint32_t file() const { return file_; }
  uint64_t offset() const { return offset_; }
  /// `size` bytes from `offset` on, within the range.
  FileBytes subspan(uint64_t offset, uint64_t size) const;

  /// The same as a span, in memory. In a page the error asks the host for what is missing.
  Result<std::span<const std::byte>> read(uint64_t offset, uint64_t size) const;

  /// Where all of them are here.
  const std::byte* data() const { return here_.data(); }
  std::byte operator[](size_t i) const { return here_[i]; }
  auto begin() const { return here_.begin(); }
  auto end() const { return here_.end(); }
  operator std::span<const std::byte>() const { return here_; }  // NOLINT: meant to convert

 private:
  std::span<const std::byte> here_;
  uint32_t file_ = 0;
  uint64_t offset_ = 0, size_ = 0;
};

/// A whole file, open for reading. An empty file is an empty range.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  const std::string& path() const { return path_; }
  const FileBytes& bytes() const { return bytes_; }

 private:
  MappedFile(std::string path, FileBytes bytes) : path_(std::move(path)), bytes_(bytes) {}

  std::string path_;
  FileBytes bytes_;
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
bool is_folder(const std::string& path);
/// The paths of all that a folder holds, sorted; nothing if it cannot be read.
std::vector<std::string> list_folder(const std::string& path);
/// And those above it, where they are missing.
Result<void> make_folder(const std::string& path);

}  // namespace handloom
