#include "formats/safetensors.h"

#include "base/sort.h"
#include "formats/fields.h"
#include "formats/names.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <optional>

namespace handloom::formats {
namespace {

static_assert(std::endian::native == std::endian::little, "tensor bytes are used as they lie");

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr uint64_t kMagicBytes = 64;               // enough to tell what kind of file it is
constexpr uint64_t kMaxFileBytes = std::numeric_limits<int64_t>::max();
constexpr std::string_view kSingleFile = "model.safetensors";
constexpr std::string_view kIndexFile = "model.safetensors.index.json";

struct FileDType {
  std::string_view name;
  DType dtype;
};
constexpr std::array kFileDTypes = {
    FileDType{"F32", DType::f32}, FileDType{"F16", DType::f16}, FileDType{"BF16", DType::bf16},
    FileDType{"I64", DType::i64}, FileDType{"I32", DType::i32}, FileDType{"U32", DType::u32},
    FileDType{"U8", DType::u8},   FileDType{"I8", DType::i8},
};

/// A tensor whose offsets have not been compared with the others' and the file's yet.
struct Entry {
  TensorInfo tensor;
  uint64_t begin = 0, end = 0;  // within the data that follows the header
};

/// What the first bytes say the file is instead, for the cases people run into. Read as a header
/// length, each of these beginnings is far beyond the limit.
std::optional<std::string_view> other_kind(std::string_view text) {
  struct Kind {
    std::string_view magic, name;
  };
  static constexpr std::array kKinds = {
      Kind{"GGUF", "a GGUF file"},
      Kind{"PK\x03\x04", "a zip archive (a PyTorch .bin or .pt file, perhaps)"},
      Kind{"\x80\x02", "a Python pickle (an old PyTorch file, perhaps)"},
      Kind{"\x80\x03", "a Python pickle (an old PyTorch file, perhaps)"},
      Kind{"\x80\x04", "a Python pickle (an old PyTorch file, perhaps)"},
      Kind{"version https://git-lfs", "a git-lfs pointer; fetch the file itself with git lfs pull"},
      Kind{"\x93NUMPY", "a NumPy array"},
      Kind{"{", "a text file that begins like JSON"},
      Kind{"<", "a text file that begins like HTML"},
  };
  for (const Kind& kind : kKinds) {
    if (text.starts_with(kind.magic)) return kind.name;
  }
  return std::nullopt;
}

Result<std::string_view> text_at(const FileBytes& bytes, uint64_t offset, uint64_t size) {
  TRY(const auto read, bytes.read(offset, size));
  return std::string_view(reinterpret_cast<const char*>(read.data()), read.size());
}

/// The JSON text of the header. It begins at byte 8 and the data follows it.
Result<std::string_view> find_header(const FileBytes& bytes, const std::string& where) {
  const uint64_t size = bytes.size();
  if (size < 8) {
    return fail(ErrorCode::bad_format,
                "{}: is {} bytes long, expected a safetensors file of at least 10", where, size);
  }
  TRY(const std::string_view text, text_at(bytes, 0, std::min<uint64_t>(size, kMagicBytes)));
  uint64_t length = 0;
  for (size_t i = 8; i-- > 0;) length = length << 8 | static_cast<unsigned char>(text[i]);
  if (length <= kMaxHeaderBytes && length <= size - 8) return text_at(bytes, 8, length);

  if (length > kMaxHeaderBytes) {
    if (const auto kind = other_kind(text)) {
      return fail(ErrorCode::unsupported, "{}: is {}, expected a safetensors file", where, *kind);
    }
    return fail(ErrorCode::bad_format,
                "{}: header length is {} bytes, expected at most {}; is it a safetensors file?",
                where, length, kMaxHeaderBytes);
  }
  return fail(ErrorCode::bad_format,
              "{}: is {} bytes, the header alone promises {}; the file is cut short or is not "
              "safetensors",
              where, size, 8 + length);
}

Result<DType> get_dtype(const JsonObject& object) {
  TRY(const std::string& name, object.get_string("dtype"));
  std::string supported;
  for (const FileDType& known : kFileDTypes) {
    if (known.name == name) return known.dtype;
    supported += supported.empty() ? "" : ", ";
    supported += known.name;
  }
  return fail(ErrorCode::unsupported, "{}: has type {}, which is not supported (supported: {})",
              object.where(), printable(name), supported);
}

Result<Entry> parse_entry(const std::string& name, const Json& value, const std::string& file) {
  const std::string where = fmt::format("{}: tensor '{}'", file, printable(name));
  TRY(const JsonObject& object, JsonObject::from(value, where));
  TRY(const DType dtype, get_dtype(object));
  TRY(const std::vector<uint64_t>& dims, get_u64_list(object, "shape"));
  TRY(const Shape& shape, to_shape(dims, where));
  TRY(const std::vector<uint64_t>& offsets, get_u64_list(object, "data_offsets"));
  if (offsets.size() != 2) {
    return fail(ErrorCode::bad_format, "{}: 'data_offsets' has {} numbers, expected 2", where,
                offsets.size());
  }
  const uint64_t begin = offsets[0], end = offsets[1];
  if (begin > end || end > kMaxFileBytes) {
    return fail(ErrorCode::bad_format,
                "{}: 'data_offsets' are [{}, {}], expected a begin and an end within the file",
                where, begin, end);
  }
  const std::optional<uint64_t> size = tensor_bytes(dtype, dims);
  if (!size) {
    return fail(ErrorCode::bad_format, "{}: {} {} is larger than any file", where, to_string(dtype),
                to_string(shape));
  }
  if (end - begin != *size) {
    return fail(ErrorCode::bad_format, "{}: has {} bytes, expected {} for {} {}", where,
                end - begin, *size, to_string(dtype), to_string(shape));
  }
  return Entry{.tensor = {.name = name, .dtype = dtype, .shape = shape, .bytes = {}},
               .begin = begin,
               .end = end};
}

/// The format's metadata is a map from text to text; handloom reads none of it.
Result<void> check_metadata(const Json& value, const std::string& file) {
  TRY(const JsonObject& object, JsonObject::from(value, file + ": '__metadata__'"));
  for (const auto& [key, text] : value.items()) {
    if (text.is_string()) continue;
    return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected a string", object.where(),
                printable(key), describe(text));
  }
  return {};
}

Result<std::vector<Entry>> parse_entries(std::string_view header, const std::string& where) {
  TRY(const Json& root, parse_json(header, where + ": header"));
  CHECK_OK(JsonObject::from(root, where + ": header"));
  std::vector<Entry> entries;
  for (const auto& [name, value] : root.items()) {
    if (name == "__metadata__") {
      CHECK_OK(check_metadata(value, where));
      continue;
    }
    TRY(Entry entry, parse_entry(name, value, where));
    entries.push_back(std::move(entry));
  }
  return entries;
}

/// Requires that the tensors, in the order of their offsets, cover the data exactly. A name given
/// twice is found here too: JSON keeps the last of the two, and the first leaves a hole.
Result<void> check_layout(std::vector<Entry>& entries, uint64_t file_size, uint64_t data_size,
                          const std::string& where) {
  sort_by(entries, [](const Entry& e) { return std::pair(e.begin, e.end); });
  uint64_t covered = 0;
  const Entry* previous = nullptr;
  for (const Entry& entry : entries) {
    const std::string name = printable(entry.tensor.name);
    if (entry.begin < covered) {
      return fail(ErrorCode::bad_format,
                  "{}: tensor '{}' begins at {}, inside tensor '{}', which ends at {}", where, name,
                  entry.begin, printable(previous->tensor.name), covered);
    }
    if (entry.begin > covered) {
      return fail(ErrorCode::bad_format,
                  "{}: tensor '{}' begins at {}, expected {}; the format forbids holes", where,
                  name, entry.begin, covered);
    }
    covered = entry.end;
    previous = &entry;
  }
  if (covered == data_size) return {};
  const uint64_t promised = file_size - data_size + covered;
  if (covered > data_size) {
    return fail(ErrorCode::bad_format,
                "{}: is {} bytes, the header promises {}; the file is cut short", where, file_size,
                promised);
  }
  return fail(ErrorCode::bad_format,
              "{}: is {} bytes, the header promises {}; {} bytes at the end belong to no tensor",
              where, file_size, promised, data_size - covered);
}

/// One file's tensors, sorted by name.
Result<std::vector<TensorInfo>> parse_tensors(const FileBytes& bytes, const std::string& where) {
  TRY(const std::string_view header, find_header(bytes, where));
  TRY(std::vector<Entry> entries, parse_entries(header, where));
  const uint64_t begin = 8 + header.size();
  const FileBytes data = bytes.subspan(begin, bytes.size() - begin);
  CHECK_OK(check_layout(entries, bytes.size(), data.size(), where));
  std::vector<TensorInfo> tensors;
  tensors.reserve(entries.size());
  for (Entry& entry : entries) {
    entry.tensor.bytes = data.subspan(entry.begin, entry.end - entry.begin);
    tensors.push_back(std::move(entry.tensor));
  }
  sort_by(tensors, &TensorInfo::name);
  return tensors;
}

using NamesByShard = std::map<std::string, std::vector<std::string>>;

Result<NamesByShard> parse_index(std::string_view text, const std::string& where) {
  TRY(const Json& root, parse_json(text, where));
  TRY(const JsonObject& object, JsonObject::from(root, where));
  CHECK_OK(object.get_object("weight_map"));
  NamesByShard shards;
  for (const auto& [name, shard] : object.find("weight_map")->items()) {
    if (!shard.is_string() || !is_plain_file_name(shard.get_ref<const std::string&>())) {
      return fail(ErrorCode::bad_format,
                  "{}: weight_map: '{}' is {}, expected the name of a file in the same folder",
                  where, printable(name), describe(shard));
    }
    shards[shard.get<std::string>()].push_back(name);
  }
  if (shards.empty()) {
    return fail(ErrorCode::bad_format, "{}: 'weight_map' is empty, expected at least one tensor",
                where);
  }
  return shards;
}

const TensorInfo* find_in(std::span<const TensorInfo> tensors, std::string_view name) {
  const auto it = std::ranges::lower_bound(tensors, name, {}, &TensorInfo::name);
  return it != tensors.end() && it->name == name ? &*it : nullptr;
}

Result<Checkpoint> open_file(const std::string& path) {
  TRY(MappedFile file, MappedFile::open(path));
  TRY(std::vector<TensorInfo> tensors, parse_tensors(file.bytes(), path));
  std::vector<MappedFile> files;
  files.push_back(std::move(file));
  return Checkpoint::from(path, std::move(files), std::move(tensors));
}

Result<Checkpoint> open_index(const std::string& folder, const std::string& index_path) {
  TRY(const std::string& text, read_text_file(index_path, kMaxHeaderBytes));
  TRY(const NamesByShard& shards, parse_index(text, index_path));
  std::vector<MappedFile> files;
  std::vector<TensorInfo> tensors;
  for (const auto& [shard, names] : shards) {
    const std::string path = fmt::format("{}/{}", folder, shard);
    if (!file_exists(path)) {
      return fail(ErrorCode::not_found, "{}: names shard '{}', which is missing from the folder",
                  index_path, shard);
    }
    TRY(MappedFile file, MappedFile::open(path));
    TRY(std::vector<TensorInfo> in_shard, parse_tensors(file.bytes(), path));
    for (const std::string& name : names) {
      const TensorInfo* tensor = find_in(in_shard, name);
      if (tensor == nullptr) {
        return fail(ErrorCode::bad_format, "{}: places tensor '{}' in '{}', which lacks it",
                    index_path, printable(name), shard);
      }
      tensors.push_back(*tensor);
    }
    files.push_back(std::move(file));
  }
  return Checkpoint::from(index_path, std::move(files), std::move(tensors));
}

}  // namespace

std::string_view safetensors_dtype(DType dtype) {
  const auto known = std::ranges::find(kFileDTypes, dtype, &FileDType::dtype);
  return known == kFileDTypes.end() ? "" : known->name;
}

Result<Checkpoint> parse_safetensors(std::span<const std::byte> bytes, std::string where) {
  TRY(std::vector<TensorInfo> tensors, parse_tensors(bytes, where));
  return Checkpoint::from(std::move(where), {}, std::move(tensors));
}

Result<Checkpoint> open_safetensors(const std::string& folder_or_file) {
  if (!is_folder(folder_or_file)) return open_file(folder_or_file);
  const std::string single = fmt::format("{}/{}", folder_or_file, kSingleFile);
  if (file_exists(single)) return open_file(single);
  const std::string index = fmt::format("{}/{}", folder_or_file, kIndexFile);
  if (file_exists(index)) return open_index(folder_or_file, index);
  return fail(ErrorCode::not_found, "{}: holds neither {} nor {}", folder_or_file, kSingleFile,
              kIndexFile);
}

}  // namespace handloom::formats
