// Files as a page has them: the host knows them, this side what it was told. Whatever is opened or
// read before the host has told of it fails, and is kept as a want; the host satisfies the want and
// the call is made again, from its start.
#pragma once

#include "base/file.h"

#include <optional>
#include <string>
#include <vector>

namespace handloom::web {

/// The bytes of a file from `begin` to before `end`, or to the file's own end.
struct FileWant {
  std::string path;
  uint64_t begin = 0, end = 0;
};

/// What was missed since the last call. The host answers it with add_file() or add_absent().
std::optional<FileWant> take_want();

/// A file of `size` bytes in all: those from `begin` on, as they were wanted.
void add_file(const std::string& path, uint64_t size, uint64_t begin,
              std::span<const std::byte> bytes);
/// Neither a file nor a folder.
void add_absent(const std::string& path);
/// A folder, and the paths of what it holds, where the host can list it.
void add_folder(const std::string& path, std::vector<std::string> holds);

/// The path of a FileBytes' file.
const std::string& path_of(uint32_t file);

/// Forgets all; no MappedFile may be open.
void forget_files();

}  // namespace handloom::web
