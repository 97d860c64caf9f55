#include "formats/gguf.h"

#include "base/sort.h"
#include "formats/names.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace handloom::formats {
namespace {

static_assert(std::endian::native == std::endian::little, "tensor bytes are used as they lie");

constexpr std::string_view kMagic = "GGUF";
constexpr uint64_t kLfsPointerBytes = 32;  // enough to tell one from a GGUF file
constexpr uint64_t kMaxKeys = 1u << 16;
constexpr uint64_t kMaxTensors = 1u << 20;
constexpr uint64_t kMinEntryBytes = 8 + 4 + 1;       // empty key, type, a byte
constexpr uint64_t kMinTensorBytes = 8 + 4 + 4 + 8;  // empty name, no dimensions, type, offset
constexpr uint32_t kMaxParts = 99999;                // what five digits hold

using Entry = GgufMetadata::Entry;

/// Reads a file from its front; every read is held against its end.
class Cursor {
 public:
  Cursor(const FileBytes& bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  const std::string& where() const { return where_; }
  uint64_t offset() const { return offset_; }
  uint64_t left() const { return bytes_.size() - offset_; }

  Result<std::span<const std::byte>> take(uint64_t n_bytes, std::string_view what) {
    if (n_bytes > left()) {
      return fail(ErrorCode::bad_format,
                  "{}: {} at {} takes {} bytes, the file has {} left; it is cut short or damaged",
                  where_, what, offset_, n_bytes, left());
    }
    TRY(const auto taken, bytes_.read(offset_, n_bytes));
    offset_ += n_bytes;
    return taken;
  }

  template <class T>
  Result<T> number(std::string_view what) {
    TRY(const auto bytes, take(sizeof(T), what));
    T value;
    std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }

  Result<std::string_view> string(std::string_view what) {
    TRY(const uint64_t length, number<uint64_t>(what));
    TRY(const auto bytes, take(length, what));
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  /// What was read since `begin`.
  Result<std::span<const std::byte>> since(uint64_t begin) const {
    return bytes_.read(begin, offset_ - begin);
  }

 private:
  FileBytes bytes_;
  const std::string& where_;
  uint64_t offset_ = 0;
};

struct Header {
  uint64_t n_tensors = 0, n_keys = 0;
};

/// `count` of things of at least `each` bytes; what the rest of the file cannot hold is refused
/// before anything grows with it.
Result<uint64_t> read_count(Cursor& cursor, std::string_view what, uint64_t each, uint64_t most) {
  TRY(const uint64_t count, cursor.number<uint64_t>("the header"));
  const uint64_t room = std::min(cursor.left() / each, most);
  if (count <= room) return count;
  return fail(ErrorCode::bad_format,
              "{}: promises {} {}, expected at most {} in the {} bytes left; it is cut short or "
              "damaged",
              cursor.where(), count, what, room, cursor.left());
}

Result<void> check_magic(std::string_view text, const std::string& where) {
  if (text.starts_with(kMagic)) return {};
  if (text.starts_with("version https://git-lfs")) {
    return fail(ErrorCode::unsupported,
                "{}: is a git-lfs pointer, expected a GGUF file; fetch the file itself with git "
                "lfs pull",
                where);
  }
  return fail(text.size() < kMagic.size() ? ErrorCode::bad_format : ErrorCode::unsupported,
              "{}: begins with '{}', expected '{}'; is it a GGUF file?", where,
              printable(text.substr(0, kMagic.size())), kMagic);
}

Result<Header> read_header(Cursor& cursor, const FileBytes& bytes) {
  TRY(const auto first, bytes.read(0, std::min(bytes.size(), kLfsPointerBytes)));
  const std::string_view text(reinterpret_cast<const char*>(first.data()), first.size());
  CHECK_OK(check_magic(text, cursor.where()));
  CHECK_OK(cursor.take(kMagic.size(), "the header"));
  TRY(const uint32_t version, cursor.number<uint32_t>("the header"));
  if (version != 0 && version % 65536 == 0) {  // a small number, read from the wrong end
    return fail(ErrorCode::unsupported,
                "{}: is a big-endian GGUF file, expected little-endian; convert it with "
                "gguf_convert_endian.py",
                cursor.where());
  }
  if (version != 2 && version != kGgufVersion) {
    return fail(ErrorCode::unsupported, "{}: is GGUF version {}, expected 2 or {}", cursor.where(),
                version, kGgufVersion);
  }
  Header header;
  TRY(header.n_tensors, read_count(cursor, "tensors", kMinTensorBytes, kMaxTensors));
  TRY(header.n_keys, read_count(cursor, "metadata keys", kMinEntryBytes, kMaxKeys));
  return header;
}

Result<GgufType> read_type(Cursor& cursor, std::string_view key) {
  TRY(const uint32_t type, cursor.number<uint32_t>("a metadata type"));
  const auto named = static_cast<GgufType>(type);
  if (!to_string(named).empty()) return named;
  return fail(ErrorCode::bad_format, "{}: '{}' has value type {}, expected 0 to {}", cursor.where(),
              printable(key), type, static_cast<uint32_t>(GgufType::f64));
}

Result<void> check_flags(std::span<const std::byte> flags, const std::string& where,
                         std::string_view key) {
  for (const std::byte flag : flags) {
    if (std::to_integer<unsigned>(flag) <= 1) continue;
    return fail(ErrorCode::bad_format, "{}: '{}' holds {} as a bool, expected 0 or 1", where,
                printable(key), std::to_integer<unsigned>(flag));
  }
  return {};
}

/// Passes over `count` values of one type.
Result<std::span<const std::byte>> read_elements(Cursor& cursor, std::string_view key,
                                                 GgufType type, uint64_t count) {
  const uint64_t begin = cursor.offset();
  const uint64_t each = type == GgufType::string ? 8 : value_bytes(type);
  if (count > cursor.left() / each) {
    return fail(ErrorCode::bad_format,
                "{}: '{}' promises {} values of type {}, the file has {} bytes left; it is cut "
                "short or damaged",
                cursor.where(), printable(key), count, to_string(type), cursor.left());
  }
  if (type != GgufType::string) {
    TRY(const auto bytes, cursor.take(count * each, "a metadata value"));
    if (type == GgufType::boolean) CHECK_OK(check_flags(bytes, cursor.where(), key));
    return bytes;
  }
  for (uint64_t i = 0; i < count; ++i) CHECK_OK(cursor.string("a metadata string"));
  return cursor.since(begin);
}

Result<Entry> read_entry(Cursor& cursor) {
  Entry entry;
  TRY(entry.key, cursor.string("a metadata key"));
  TRY(entry.value.type, read_type(cursor, entry.key));
  entry.value.is_array = entry.value.type == GgufType::array;
  if (entry.value.is_array) {
    TRY(entry.value.type, read_type(cursor, entry.key));
    if (entry.value.type == GgufType::array) {
      return fail(ErrorCode::unsupported,
                  "{}: '{}' is an array of arrays, expected an array of numbers, bools or strings",
                  cursor.where(), printable(entry.key));
    }
    TRY(entry.value.count, cursor.number<uint64_t>("a metadata array"));
  }
  TRY(entry.value.bytes, read_elements(cursor, entry.key, entry.value.type, entry.value.count));
  return entry;
}

Result<GgufMetadata> read_metadata(Cursor& cursor, uint64_t n_keys) {
  std::vector<Entry> entries;
  for (uint64_t i = 0; i < n_keys; ++i) {
    TRY(Entry entry, read_entry(cursor));
    entries.push_back(std::move(entry));
  }
  return GgufMetadata::from(cursor.where(), std::move(entries));
}

/// A tensor whose place has not been held against the file and the others yet.
struct Placed {
  TensorInfo tensor;
  uint64_t offset = 0;  // within the data
  uint64_t size = 0;    // in bytes
};

/// nullptr: a type that handloom does not read, whose name goes to `name`.
Result<const GgmlType*> read_dtype(Cursor& cursor, const std::string& where, std::string& name) {
  TRY(const uint32_t id, cursor.number<uint32_t>("a tensor's type"));
  const GgmlType* type = find_ggml_type(id);
  if (type != nullptr && type->dtype) return type;
  name = type == nullptr ? fmt::format("{}", id) : std::string(type->name);
  if (type != nullptr) return nullptr;
  return fail(ErrorCode::bad_format, "{}: has type {}, which is not supported (supported: {})",
              where, name, supported_ggml_types());
}

/// The dimensions, outermost first; the file has the fastest first.
Result<std::vector<uint64_t>> read_dims(Cursor& cursor, const std::string& where) {
  TRY(const uint32_t rank, cursor.number<uint32_t>("a tensor's rank"));
  if (rank > Shape::kMaxRank) {
    return fail(ErrorCode::bad_format, "{}: has {} dimensions, expected at most {}", where, rank,
                Shape::kMaxRank);
  }
  std::vector<uint64_t> dims(rank);
  for (uint32_t i = rank; i-- > 0;) {
    TRY(dims[i], cursor.number<uint64_t>("a tensor's dimension"));
    constexpr uint64_t kMax = std::numeric_limits<uint32_t>::max();
    if (dims[i] <= kMax) continue;
    return fail(ErrorCode::unsupported, "{}: has a dimension of {}, expected at most {}", where,
                dims[i], kMax);
  }
  return dims;
}

/// nullopt: it went to `unread`, if that is given.
Result<std::optional<Placed>> read_tensor(Cursor& cursor, std::vector<UnreadTensor>* unread) {
  TRY(const std::string_view name, cursor.string("a tensor's name"));
  const std::string where = fmt::format("{}: tensor '{}'", cursor.where(), printable(name));
  TRY(const std::vector<uint64_t>& dims, read_dims(cursor, where));
  std::string type_name;
  TRY(const GgmlType* type, read_dtype(cursor, where, type_name));
  TRY(const uint64_t offset, cursor.number<uint64_t>("a tensor's offset"));
  if (type == nullptr && unread != nullptr) {
    unread->push_back({.name = std::string(name), .type = type_name, .dims = dims});
    return std::nullopt;
  }
  if (type == nullptr) {
    return fail(ErrorCode::unsupported, "{}: has type {}, which is not supported (supported: {})",
                where, type_name, supported_ggml_types());
  }
  const DType dtype = *type->dtype;
  const uint32_t block = block_size(dtype).values;
  if (!dims.empty() && dims.back() % block != 0) {
    return fail(ErrorCode::bad_format,
                "{}: has rows of {} values, expected a multiple of {} for {}", where, dims.back(),
                block, to_string(dtype));
  }
  const std::vector<uint32_t> narrow(dims.begin(), dims.end());
  const Shape shape{std::span(narrow)};
  const std::optional<uint64_t> size = tensor_bytes(dtype, dims);
  if (!size) {
    return fail(ErrorCode::bad_format, "{}: {} {} is larger than any file", where, to_string(dtype),
                to_string(shape));
  }
  return Placed{.tensor = {.name = std::string(name), .dtype = dtype, .shape = shape, .bytes = {}},
                .offset = offset,
                .size = *size};
}

Result<uint64_t> read_alignment(const GgufMetadata& metadata) {
  TRY(const auto given, metadata.find_u32("general.alignment"));
  const uint64_t alignment = given.value_or(kGgufAlignment);
  if (std::has_single_bit(alignment)) return alignment;
  return fail(ErrorCode::bad_format, "{}: 'general.alignment' is {}, expected a power of two",
              metadata.where(), alignment);
}

Result<void> check_place(const Placed& placed, uint64_t alignment, uint64_t data_size,
                         const std::string& where) {
  const std::string name = printable(placed.tensor.name);
  if (placed.offset % alignment != 0) {
    return fail(ErrorCode::bad_format, "{}: tensor '{}' begins at {}, expected a multiple of {}",
                where, name, placed.offset, alignment);
  }
  if (placed.offset <= data_size && placed.size <= data_size - placed.offset) return {};
  return fail(ErrorCode::bad_format,
              "{}: tensor '{}' begins at {} and takes {} bytes, the file has {} for tensors; it is "
              "cut short or damaged",
              where, name, placed.offset, placed.size, data_size);
}

/// Gives every tensor its bytes. Holes are allowed: alignment makes some.
Result<std::vector<TensorInfo>> place(std::vector<Placed> all, const FileBytes& data,
                                      uint64_t alignment, const std::string& where) {
  sort_by(all, [](const Placed& p) { return std::pair(p.offset, p.size); });
  std::vector<TensorInfo> tensors;
  tensors.reserve(all.size());
  uint64_t end = 0;
  for (Placed& placed : all) {
    CHECK_OK(check_place(placed, alignment, data.size(), where));
    if (placed.offset < end) {
      return fail(ErrorCode::bad_format,
                  "{}: tensor '{}' begins at {}, inside tensor '{}', which ends at {}", where,
                  printable(placed.tensor.name), placed.offset, printable(tensors.back().name),
                  end);
    }
    end = placed.offset + placed.size;
    placed.tensor.bytes = data.subspan(placed.offset, placed.size);
    tensors.push_back(std::move(placed.tensor));
  }
  return tensors;
}

/// One file: a whole model, or a part of one.
struct Part {
  GgufMetadata metadata;
  std::vector<TensorInfo> tensors;
};

Result<Part> parse_part(const FileBytes& bytes, const std::string& where,
                        std::vector<UnreadTensor>* unread = nullptr) {
  Cursor cursor(bytes, where);
  TRY(const Header header, read_header(cursor, bytes));
  TRY(GgufMetadata metadata, read_metadata(cursor, header.n_keys));
  TRY(const uint64_t alignment, read_alignment(metadata));
  std::vector<Placed> placed;
  for (uint64_t i = 0; i < header.n_tensors; ++i) {
    TRY(std::optional<Placed> tensor, read_tensor(cursor, unread));
    if (tensor) placed.push_back(std::move(*tensor));
  }
  const uint64_t aligned = (cursor.offset() + alignment - 1) / alignment * alignment;
  const uint64_t data_begin = std::min(aligned, bytes.size());
  const FileBytes data = bytes.subspan(data_begin, bytes.size() - data_begin);
  TRY(std::vector<TensorInfo> tensors, place(std::move(placed), data, alignment, where));
  return Part{.metadata = std::move(metadata), .tensors = std::move(tensors)};
}

/// Parts of the model that this file belongs to; 1 if it is whole.
Result<uint32_t> part_count(const GgufMetadata& metadata) {
  TRY(const auto count, metadata.find_u32("split.count"));
  if (count.value_or(1) <= kMaxParts) return std::max(count.value_or(1), 1u);
  return fail(ErrorCode::bad_format, "{}: 'split.count' is {}, expected at most {}",
              metadata.where(), *count, kMaxParts);
}

/// "NAME-00002-of-00003.gguf", counted from 1 where split.no counts from 0.
std::string part_ending(uint32_t no, uint32_t count) {
  return fmt::format("-{:05}-of-{:05}.gguf", no + 1, count);
}

Result<void> check_part(const GgufMetadata& metadata, uint32_t no, uint32_t count) {
  TRY(const uint32_t stated_no, metadata.get_u32("split.no"));
  TRY(const uint32_t stated_count, part_count(metadata));
  if (stated_no == no && stated_count == count) return {};
  return fail(ErrorCode::bad_format,
              "{}: says it is part {} of {} ('split.no', 'split.count'), expected part {} of {}",
              metadata.where(), uint64_t{stated_no} + 1, stated_count, no + 1, count);
}

/// The path up to its numbering.
Result<std::string> part_stem(const std::string& path, const GgufMetadata& metadata,
                              uint32_t count) {
  TRY(const uint32_t no, metadata.get_u32("split.no"));
  const std::string ending = part_ending(std::min(no, kMaxParts - 1), count);
  if (path.ends_with(ending)) return path.substr(0, path.size() - ending.size());
  return fail(ErrorCode::bad_format,
              "{}: is part {} of {}, expected a name that ends in '{}', so that the other parts "
              "can be found",
              path, uint64_t{no} + 1, count, ending);
}

/// All parts, opened anew; `files` gets their mappings.
Result<std::vector<Part>> open_parts(const std::string& stem, uint32_t count,
                                     std::vector<MappedFile>& files,
                                     std::vector<UnreadTensor>* unread) {
  std::vector<Part> parts;
  for (uint32_t no = 0; no < count; ++no) {
    const std::string path = stem + part_ending(no, count);
    if (!file_exists(path)) {
      return fail(ErrorCode::not_found, "{}: is missing, expected all {} parts in one folder", path,
                  count);
    }
    TRY(MappedFile file, MappedFile::open(path));
    TRY(Part part, parse_part(file.bytes(), path, unread));
    CHECK_OK(check_part(part.metadata, no, count));
    parts.push_back(std::move(part));
    files.push_back(std::move(file));
  }
  return parts;
}

Result<std::vector<TensorInfo>> gather(std::vector<Part>& parts, size_t n_unread) {
  std::vector<TensorInfo> tensors;
  for (Part& part : parts) std::ranges::move(part.tensors, std::back_inserter(tensors));
  TRY(const auto promised, parts.front().metadata.find_u32("split.tensors.count"));
  const size_t found = tensors.size() + n_unread;
  if (!promised || *promised == found) return tensors;
  return fail(ErrorCode::bad_format,
              "{}: 'split.tensors.count' is {}, expected {} as in all parts together",
              parts.front().metadata.where(), *promised, found);
}

}  // namespace

Result<Gguf> Gguf::parse(std::span<const std::byte> bytes, std::string where) {
  TRY(Part part, parse_part(bytes, where));
  TRY(const uint32_t count, part_count(part.metadata));
  if (count > 1) {
    return fail(ErrorCode::bad_format, "{}: is one of {} parts of a model, expected a whole one",
                where, count);
  }
  TRY(Checkpoint checkpoint, Checkpoint::from(std::move(where), {}, std::move(part.tensors)));
  return Gguf(std::move(part.metadata), std::move(checkpoint));
}

Result<Gguf> Gguf::open(const std::string& path) { return open_with(path, nullptr); }

Result<Gguf> Gguf::open(const std::string& path, std::vector<UnreadTensor>& unread) {
  return open_with(path, &unread);
}

Result<Gguf> Gguf::open_with(const std::string& path, std::vector<UnreadTensor>* unread) {
  std::vector<MappedFile> files;
  std::vector<Part> parts;
  TRY(MappedFile file, MappedFile::open(path));
  TRY(Part part, parse_part(file.bytes(), path, unread));
  TRY(const uint32_t count, part_count(part.metadata));
  if (count == 1) {
    parts.push_back(std::move(part));
    files.push_back(std::move(file));
  } else {
    TRY(const std::string& stem, part_stem(path, part.metadata, count));
    if (unread != nullptr) unread->clear();  // this part is read again
    TRY(parts, open_parts(stem, count, files, unread));
  }
  TRY(std::vector<TensorInfo> tensors, gather(parts, unread == nullptr ? 0 : unread->size()));
  GgufMetadata metadata = std::move(parts.front().metadata);
  TRY(Checkpoint checkpoint,
      Checkpoint::from(metadata.where(), std::move(files), std::move(tensors)));
  return Gguf(std::move(metadata), std::move(checkpoint));
}

bool is_gguf(std::span<const std::byte> bytes) {
  const auto magic = std::as_bytes(std::span(kMagic));
  return bytes.size() >= magic.size() && std::ranges::equal(bytes.first(magic.size()), magic);
}

}  // namespace handloom::formats
