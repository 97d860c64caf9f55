#include "formats/mlc.h"

#include "base/sort.h"
#include "formats/fields.h"
#include "formats/mlc_sums.h"
#include "formats/names.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <set>

namespace handloom::formats {
namespace {

constexpr size_t kMaxIndexBytes = 100'000'000;
constexpr uint64_t kMaxFileBytes = std::numeric_limits<int64_t>::max();
// Newest first. Beside each may lie a "-b16.json" of the same bytes, for readers that know bf16.
constexpr std::array<std::string_view, 2> kIndexFiles = {"tensor-cache.json", "ndarray-cache.json"};
constexpr std::string_view kCodes = ".q_weight", kScales = ".q_scale";
constexpr uint32_t kWordsPerGroup = 4;  // 32 values of 4 bits, or 40 of 3

struct FileDType {
  std::string_view name;
  DType dtype;
};
constexpr std::array kFileDTypes = {
    FileDType{"float32", DType::f32},   FileDType{"float16", DType::f16},
    FileDType{"bfloat16", DType::bf16}, FileDType{"uint32", DType::u32},
    FileDType{"int32", DType::i32},     FileDType{"int64", DType::i64},
    FileDType{"uint8", DType::u8},      FileDType{"int8", DType::i8},
};

Result<uint64_t> get_u64(const JsonObject& object, std::string_view key) {
  const Json* value = object.find(key);
  if (value != nullptr && value->is_number_unsigned() && value->get<uint64_t>() <= kMaxFileBytes) {
    return value->get<uint64_t>();
  }
  return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected a whole number up to {}",
              object.where(), key, value == nullptr ? "missing" : describe(*value), kMaxFileBytes);
}

/// The type of the bytes in the file. Every record has TVM's format "f32-to-bf16" if the model was
/// written with it, but only those of f32 were changed by it.
Result<DType> get_dtype(const JsonObject& object) {
  TRY(const std::string& name, object.get_string("dtype"));
  TRY(const std::string& format, object.get_string("format"));
  const bool to_bf16 = format == "f32-to-bf16";
  if (!to_bf16 && format != "raw") {
    return fail(ErrorCode::unsupported,
                "{}: has format '{}', which is not supported (supported: raw, f32-to-bf16)",
                object.where(), printable(format));
  }
  std::string supported;
  for (const FileDType& known : kFileDTypes) {
    if (known.name == name) return to_bf16 && known.dtype == DType::f32 ? DType::bf16 : known.dtype;
    supported += supported.empty() ? "" : ", ";
    supported += known.name;
  }
  return fail(ErrorCode::unsupported, "{}: has type '{}', which is not supported (supported: {})",
              object.where(), printable(name), supported);
}

/// MLC numbered its tensors until the end of 2023, and only its compiled code knows which is which.
Result<void> check_name(const std::string& name, const std::string& where) {
  constexpr std::string_view kNumbered = "param_";
  const bool numbered = name.starts_with(kNumbered) && name.size() > kNumbered.size() &&
                        std::ranges::all_of(name.substr(kNumbered.size()),
                                            [](char c) { return c >= '0' && c <= '9'; });
  if (!numbered) return {};
  return fail(ErrorCode::unsupported,
              "{}: has tensor '{}', a number for a name, as MLC wrote them in 2023; convert the "
              "model anew",
              where, printable(name));
}

Result<MlcRecord> parse_record(const Json& value, const std::string& where) {
  TRY(const JsonObject& unnamed, JsonObject::from(value, where));
  MlcRecord record;
  TRY(record.name, unnamed.get_string("name"));
  CHECK_OK(check_name(record.name, where));
  TRY(const JsonObject& object,
      JsonObject::from(value, fmt::format("{}: tensor '{}'", where, printable(record.name))));
  TRY(record.dtype, get_dtype(object));
  TRY(const std::vector<uint64_t>& dims, get_u64_list(object, "shape"));
  TRY(record.shape, to_shape(dims, object.where()));
  TRY(record.n_bytes, get_u64(object, "nbytes"));
  if (object.has("byteOffset")) {
    TRY(record.offset, get_u64(object, "byteOffset"));
  }
  const std::optional<uint64_t> size = tensor_bytes(record.dtype, dims);
  if (size == record.n_bytes) return record;
  return fail(ErrorCode::bad_format, "{}: has {} bytes, expected {} for {} {}", object.where(),
              record.n_bytes, size ? fmt::format("{}", *size) : "more than any file has",
              to_string(record.dtype), to_string(record.shape));
}

/// A path that cannot lead out of the folder.
Result<std::string> get_data_path(const JsonObject& object) {
  TRY(std::string path, object.get_string("dataPath"));
  std::string_view rest = path;
  while (true) {
    const size_t slash = rest.find('/');
    if (!is_plain_file_name(rest.substr(0, slash))) {
      return fail(ErrorCode::bad_format, "{}: 'dataPath' is '{}', expected a file in the folder",
                  object.where(), printable(path));
    }
    if (slash == std::string_view::npos) return path;
    rest.remove_prefix(slash + 1);
  }
}

Result<std::string> find_md5(const JsonObject& object) {
  TRY(auto sum, object.find_string("md5sum"));
  if (!sum) return std::string();
  bool is_sum = sum->size() == 32;
  for (char& c : *sum) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    is_sum = is_sum && ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
  }
  if (is_sum) return *std::move(sum);
  return fail(ErrorCode::bad_format, "{}: 'md5sum' is '{}', expected 32 hexadecimal digits",
              object.where(), printable(*sum));
}

/// Requires records that lie within the shard and apart from one another; sorts them.
Result<void> check_layout(MlcShard& shard, const std::string& where) {
  sort_by(shard.records, [](const MlcRecord& r) { return std::pair(r.offset, r.n_bytes); });
  const MlcRecord* previous = nullptr;
  for (const MlcRecord& record : shard.records) {
    const uint64_t end = record.offset + record.n_bytes;  // both at most 2^63 - 1
    if (end > shard.n_bytes) {
      return fail(ErrorCode::bad_format,
                  "{}: tensor '{}' ends at byte {}, expected at most {}, the bytes of '{}'", where,
                  printable(record.name), end, shard.n_bytes, printable(shard.file));
    }
    if (previous != nullptr && record.offset < previous->offset + previous->n_bytes) {
      return fail(ErrorCode::bad_format,
                  "{}: tensor '{}' begins at byte {} of '{}', inside tensor '{}', which ends at {}",
                  where, printable(record.name), record.offset, printable(shard.file),
                  printable(previous->name), previous->offset + previous->n_bytes);
    }
    previous = &record;
  }
  return {};
}

Result<const Json*> get_records(const JsonObject& object) {
  const Json* records = object.find("records");
  if (records != nullptr && records->is_array()) return records;
  return fail(ErrorCode::bad_format, "{}: 'records' is {}, expected an array", object.where(),
              records == nullptr ? "missing" : describe(*records));
}

/// {"dataPath", "format": "raw-shard", "nbytes", "md5sum", "records": [...]}
Result<MlcShard> parse_shard(const JsonObject& object, const std::string& where) {
  MlcShard shard;
  TRY(shard.file, get_data_path(object));
  TRY(const std::string& format, object.get_string("format"));
  if (format != "raw-shard") {
    return fail(ErrorCode::unsupported, "{}: has format '{}', only raw-shard is supported",
                object.where(), printable(format));
  }
  TRY(shard.n_bytes, get_u64(object, "nbytes"));
  TRY(shard.md5, find_md5(object));
  TRY(const Json* records, get_records(object));
  for (const Json& value : *records) {
    TRY(MlcRecord record, parse_record(value, where));
    shard.records.push_back(std::move(record));
  }
  return shard;
}

/// A record with a file of its own, or one it shares with other such records.
Result<void> add_flat_record(const JsonObject& object, const Json& value, const std::string& where,
                             std::map<std::string, MlcShard>& shards) {
  TRY(const std::string& file, get_data_path(object));
  TRY(MlcRecord record, parse_record(value, where));
  TRY(std::string md5, find_md5(object));
  MlcShard& shard = shards[file];
  if (!shard.records.empty() && shard.md5 != md5) {
    return fail(ErrorCode::bad_format, "{}: gives two md5 sums for '{}', expected one", where,
                printable(file));
  }
  shard.file = file;
  shard.md5 = std::move(md5);
  shard.n_bytes = std::max(shard.n_bytes, record.offset + record.n_bytes);
  shard.records.push_back(std::move(record));
  return {};
}

Result<std::vector<MlcShard>> parse_shards(const Json& records, const std::string& where) {
  std::map<std::string, MlcShard> shards;
  std::set<std::string> nested;
  for (size_t i = 0; i < records.size(); ++i) {
    TRY(const JsonObject& object,
        JsonObject::from(records[i], fmt::format("{}: records[{}]", where, i)));
    if (!object.has("records")) {
      CHECK_OK(add_flat_record(object, records[i], where, shards));
      continue;
    }
    TRY(MlcShard shard, parse_shard(object, where));
    const std::string file = shard.file;
    if (!nested.insert(file).second || shards.contains(file)) {
      return fail(ErrorCode::bad_format, "{}: '{}' is there twice, expected once", object.where(),
                  printable(file));
    }
    shards[file] = std::move(shard);
  }
  std::vector<MlcShard> list;
  for (auto& [file, shard] : shards) list.push_back(std::move(shard));
  return list;
}

// --- Joining codes and scales

struct Layout {
  DType dtype;
  uint32_t group;
  bool float_scales;  // f32, perhaps stored as bf16; else f16
};

std::optional<Layout> layout_of(MlcQuantization quantization) {
  switch (quantization) {
    case MlcQuantization::q0f16: return std::nullopt;
    case MlcQuantization::q3f16_1: return Layout{DType::mlc_q3, 40, false};
    case MlcQuantization::q4f16_1: return Layout{DType::mlc_q4, 32, false};
    case MlcQuantization::q4f32_1: return Layout{DType::mlc_q4f32, 32, true};
  }
  return std::nullopt;
}

/// Columns of a matrix of this name: the width of what it multiplies.
uint32_t columns_of(std::string_view base, const Config& config) {
  const std::string_view own = base.substr(base.rfind('.') + 1);  // npos + 1 is 0
  if (own == "o_proj" || own == "out_proj") return config.q_dim();
  if (own == "down_proj") return config.ffn_dim;
  if (own == "moe_down_proj") return config.expert_ffn_dim;
  return config.model_dim;
}

bool same_rows(const Shape& a, const Shape& b) {
  if (a.rank() != b.rank() || a.rank() < 2) return false;
  return std::ranges::equal(a.dims().first(a.rank() - 1), b.dims().first(b.rank() - 1));
}

Result<void> check_parts(const TensorInfo& codes, const TensorInfo& scales, const Layout& layout,
                         std::string_view where) {
  const uint32_t last = codes.shape.rank() - 1;
  const bool fits = same_rows(codes.shape, scales.shape) &&
                    codes.shape.dim(last) == uint64_t{kWordsPerGroup} * scales.shape.dim(last);
  if (codes.dtype != DType::u32 || !fits) {
    return fail(ErrorCode::bad_format,
                "{}: tensor '{}' is {} {}, expected u32 and {} words for each scale of {}", where,
                printable(codes.name), to_string(codes.dtype), to_string(codes.shape),
                kWordsPerGroup, to_string(scales.shape));
  }
  const bool good_scales = layout.float_scales
                               ? scales.dtype == DType::f32 || scales.dtype == DType::bf16
                               : scales.dtype == DType::f16;
  if (good_scales) return {};
  return fail(ErrorCode::bad_format, "{}: tensor '{}' is {}, expected {} for {}", where,
              printable(scales.name), to_string(scales.dtype),
              layout.float_scales ? "f32 or bf16" : "f16", to_string(layout.dtype));
}

Result<TensorInfo> join(const TensorInfo& codes, const TensorInfo& scales, const MlcConfig& mlc,
                        std::string_view where) {
  const auto layout = layout_of(mlc.quantization);
  if (!layout) {
    return fail(ErrorCode::bad_format,
                "{}: tensor '{}' is quantised, expected none, as the model's quantization is {}",
                where, printable(codes.name), to_string(mlc.quantization));
  }
  CHECK_OK(check_parts(codes, scales, *layout, where));

  const std::string base = codes.name.substr(0, codes.name.size() - kCodes.size());
  const uint32_t last = scales.shape.rank() - 1;
  const uint64_t n_groups = scales.shape.dim(last);
  const uint64_t columns = columns_of(base, mlc.config), group = layout->group;
  const uint64_t kept = (columns + group - 1) / group == n_groups ? columns : n_groups * group;
  if (kept > std::numeric_limits<uint32_t>::max()) {
    return fail(ErrorCode::unsupported, "{}: tensor '{}' has {} columns, expected at most {}",
                where, printable(base), kept, std::numeric_limits<uint32_t>::max());
  }
  std::vector<uint32_t> dims(scales.shape.dims().begin(), scales.shape.dims().end());
  dims[last] = static_cast<uint32_t>(kept);
  return TensorInfo{.name = base + ".weight",
                    .dtype = layout->dtype,
                    .shape = Shape(dims),
                    .bytes = codes.bytes,
                    .scales = scales.bytes,
                    .scale_dtype = scales.dtype,
                    .group = layout->group};
}

// --- The folder

Result<std::string> find_index(const std::string& folder) {
  for (const std::string_view file : kIndexFiles) {
    std::string path = fmt::format("{}/{}", folder, file);
    if (file_exists(path)) return path;
  }
  return fail(ErrorCode::not_found, "{}: holds neither {} nor {}", folder, kIndexFiles[0],
              kIndexFiles[1]);
}

Result<std::vector<MappedFile>> map_shards(const std::string& folder, const std::string& index,
                                           std::span<const MlcShard> shards) {
  std::vector<MappedFile> files;
  for (const MlcShard& shard : shards) {
    const std::string path = fmt::format("{}/{}", folder, shard.file);
    if (!file_exists(path)) {
      return fail(ErrorCode::not_found, "{}: names shard '{}', which is missing from the folder",
                  index, printable(shard.file));
    }
    TRY(MappedFile file, MappedFile::open(path));
    if (file.bytes().size() != shard.n_bytes) {
      return fail(ErrorCode::bad_format, "{}: is {} bytes, expected {}; fetch it again", path,
                  file.bytes().size(), shard.n_bytes);
    }
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace

Result<std::vector<MlcShard>> parse_mlc_index(std::string_view json, std::string where) {
  TRY(const Json& root, parse_json(json, where));
  TRY(const JsonObject& object, JsonObject::from(root, where));
  TRY(const Json* records, get_records(object));
  TRY(std::vector<MlcShard> shards, parse_shards(*records, where));
  if (std::ranges::all_of(shards, [](const MlcShard& shard) { return shard.records.empty(); })) {
    return fail(ErrorCode::bad_format, "{}: lists no tensors, expected at least one", where);
  }
  for (MlcShard& shard : shards) CHECK_OK(check_layout(shard, where));
  return shards;
}

Result<std::vector<TensorInfo>> join_mlc(std::vector<TensorInfo> tensors, const MlcConfig& mlc,
                                         std::string_view where) {
  std::map<std::string_view, const TensorInfo*> by_name;
  for (const TensorInfo& tensor : tensors) by_name[tensor.name] = &tensor;
  std::vector<TensorInfo> joined;
  for (const TensorInfo& tensor : tensors) {
    const bool codes = tensor.name.ends_with(kCodes), scales = tensor.name.ends_with(kScales);
    if (!codes && !scales) {
      joined.push_back(tensor);
      continue;
    }
    const size_t base = tensor.name.size() - (codes ? kCodes : kScales).size();
    const std::string other = tensor.name.substr(0, base).append(codes ? kScales : kCodes);
    const auto found = by_name.find(other);
    if (found == by_name.end()) {
      return fail(ErrorCode::bad_format, "{}: tensor '{}' is there without '{}', expected both",
                  where, printable(tensor.name), printable(other));
    }
    if (scales) continue;
    TRY(TensorInfo both, join(tensor, *found->second, mlc, where));
    joined.push_back(std::move(both));
  }
  return joined;
}

Result<Checkpoint> open_mlc(const std::string& folder) {
  TRY(const MlcConfig mlc, load_mlc_config(folder));
  TRY(const std::string& index, find_index(folder));
  TRY(const std::string& text, read_text_file(index, kMaxIndexBytes));
  TRY(const std::vector<MlcShard>& shards, parse_mlc_index(text, index));
  TRY(std::vector<MappedFile> files, map_shards(folder, index, shards));
  CHECK_OK(check_mlc_sums(shards, files));

  std::vector<TensorInfo> parts;
  for (size_t i = 0; i < shards.size(); ++i) {
    for (const MlcRecord& record : shards[i].records) {
      parts.push_back({.name = record.name,
                       .dtype = record.dtype,
                       .shape = record.shape,
                       .bytes = files[i].bytes().subspan(record.offset, record.n_bytes)});
    }
  }
  TRY(std::vector<TensorInfo> tensors, join_mlc(std::move(parts), mlc, index));
  return Checkpoint::from(index, std::move(files), std::move(tensors));
}

}  // namespace handloom::formats
