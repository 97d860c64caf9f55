#include "base/file_web.h"

#include "base/sort.h"

#include <algorithm>
#include <map>

namespace handloom {
namespace {

constexpr uint64_t kFirstBytes = uint64_t{64} << 10;  // asked of a file that nothing is known of

/// Behind the first bytes, so far from them, lies what is fetched by itself.
constexpr uint64_t kApart = uint64_t{1} << 20;

/// Bytes of a file apart from its first ones: a small tensor's that is read before the weights.
struct Piece {
  uint64_t begin = 0;
  std::vector<std::byte> bytes;
};

struct Told {
  std::string path;
  bool is_file = false, is_folder = false;
  uint64_t size = 0;
  std::vector<std::byte> here;  // the first bytes
  std::vector<Piece> pieces = {};
  std::vector<std::string> holds;
};

/// By the number that a FileBytes has. There is one thread.
std::vector<std::unique_ptr<Told>> told_files;
std::optional<web::FileWant> want;

Told* find(const std::string& path) {
  for (const auto& told : told_files) {
    if (told->path == path) return told.get();
  }
  return nullptr;
}

Told& find_or_add(const std::string& path) {
  if (Told* told = find(path)) return *told;
  told_files.push_back(std::make_unique<Told>(Told{.path = path}));
  return *told_files.back();
}

std::unexpected<Error> not_here(const std::string& path, uint64_t begin, uint64_t end) {
  if (!want) want = web::FileWant{.path = path, .begin = begin, .end = end};
  return fail(ErrorCode::io, "{}: is not here yet", path);
}

/// What the host told of a path; a want if it told nothing.
const Told* ask(const std::string& path) {
  const Told* told = find(path);
  if (told == nullptr) not_here(path, 0, kFirstBytes);
  return told;
}

}  // namespace

namespace web {

std::optional<FileWant> take_want() { return std::exchange(want, std::nullopt); }

void add_file(const std::string& path, uint64_t size, uint64_t begin,
              std::span<const std::byte> bytes) {
  Told& told = find_or_add(path);
  told.is_file = true;
  told.size = size;
  if (begin == told.here.size()) {
    told.here.insert(told.here.end(), bytes.begin(), bytes.end());
  } else {
    told.pieces.push_back({.begin = begin, .bytes = {bytes.begin(), bytes.end()}});
  }
}

void add_absent(const std::string& path) { find_or_add(path); }

void add_folder(const std::string& path, std::vector<std::string> holds) {
  Told& told = find_or_add(path);
  told.is_folder = true;
  told.holds = std::move(holds);
  sort_by(told.holds);
}

const std::string& path_of(uint32_t file) { return told_files[file]->path; }

void forget_files() {
  told_files.clear();
  want.reset();
}

}  // namespace web

Result<std::span<const std::byte>> FileBytes::read(uint64_t offset, uint64_t size) const {
  if (offset + size <= here_.size()) {
    return here_.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
  }
  const Told& told = *told_files[file_];
  const uint64_t first = offset_ + offset;
  for (const Piece& piece : told.pieces) {
    if (first < piece.begin || first + size > piece.begin + piece.bytes.size()) continue;
    return std::span(piece.bytes)
        .subspan(static_cast<size_t>(first - piece.begin), static_cast<size_t>(size));
  }
  if (first > told.here.size() + kApart) return not_here(told.path, first, first + size);
  // A header is read in small steps: ask for more than the next of them.
  const uint64_t end = std::max(first + size, uint64_t{4} * told.here.size());
  return not_here(told.path, told.here.size(), std::min(end, told.size));
}

Result<MappedFile> MappedFile::open(const std::string& path) {
  const Told* told = ask(path);
  if (told == nullptr) return not_here(path, 0, kFirstBytes);
  if (told->is_folder) return fail(ErrorCode::io, "{}: is not a regular file", path);
  if (!told->is_file) {
    return fail(ErrorCode::not_found, "{}: cannot open: no such file", path);
  }
  const auto at = std::ranges::find(told_files, told, [](const auto& each) { return each.get(); });
  const auto file = static_cast<uint32_t>(at - told_files.begin());
  return MappedFile(path, FileBytes(told->here, file, 0, told->size));
}

MappedFile::MappedFile(MappedFile&& other) noexcept = default;
MappedFile& MappedFile::operator=(MappedFile&& other) noexcept = default;
MappedFile::~MappedFile() = default;

void release_pages(std::span<const std::byte>) {}

bool file_exists(const std::string& path) {
  const Told* told = ask(path);
  return told != nullptr && (told->is_file || told->is_folder);
}

bool is_folder(const std::string& path) {
  const Told* told = ask(path);
  return told != nullptr && told->is_folder;
}

std::vector<std::string> list_folder(const std::string& path) {
  const Told* told = ask(path);
  return told == nullptr ? std::vector<std::string>() : told->holds;
}

}  // namespace handloom
