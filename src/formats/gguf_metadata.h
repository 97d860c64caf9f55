// The metadata of a GGUF file: typed values under names such as "llama.block_count".
#pragma once

#include "base/flags.h"
#include "base/result.h"
#include "formats/gguf_types.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::formats {

/// One value, as it lies in the file. `bytes` are `count` elements of `type`, packed and
/// little-endian; a string is a u64 length and that many bytes. Lengths were checked on opening.
struct GgufValue {
  GgufType type = GgufType::u32;  // of the elements, if it is an array
  bool is_array = false;
  uint64_t count = 1;
  std::span<const std::byte> bytes = {};
};

/// A short rendering: the value itself if it is short, else what it is; "an array of 600 strings".
std::string describe(const GgufValue& value);

/// All values of a file. Does not own their bytes.
///
/// The `find_` forms answer nullopt, or an empty vector, for an absent key, and fail if it is there
/// with another type or does not fit; the `get_` forms require the key. Integers may have any width
/// in the file. Error: bad_format.
class GgufMetadata {
 public:
  struct Entry {
    std::string_view key;
    GgufValue value;
  };

  /// `where` begins every error message. Error: bad_format for a key given twice.
  static Result<GgufMetadata> from(std::string where, std::vector<Entry> entries);

  const std::string& where() const { return where_; }
  /// Sorted by key.
  std::span<const Entry> entries() const { return entries_; }
  /// The raw value, or nullptr.
  const GgufValue* find(std::string_view key) const;
  bool has(std::string_view key) const { return find(key) != nullptr; }

  Result<uint32_t> get_u32(std::string_view key) const;
  Result<double> get_number(std::string_view key) const;
  Result<std::string> get_string(std::string_view key) const;

  Result<std::optional<uint32_t>> find_u32(std::string_view key) const;
  Result<std::optional<double>> find_number(std::string_view key) const;  // f32 or f64
  Result<std::optional<bool>> find_bool(std::string_view key) const;
  Result<std::optional<std::string>> find_string(std::string_view key) const;

  Result<std::vector<uint32_t>> find_u32s(std::string_view key) const;
  Result<std::vector<float>> find_floats(std::string_view key) const;  // f32 alone
  Result<Flags> find_bools(std::string_view key) const;
  Result<std::vector<std::string>> find_strings(std::string_view key) const;

 private:
  GgufMetadata(std::string where, std::vector<Entry> entries)
      : where_(std::move(where)), entries_(std::move(entries)) {}

  Result<const GgufValue*> find_array(std::string_view key, std::string_view expected) const;

  std::string where_;
  std::vector<Entry> entries_;
};

}  // namespace handloom::formats
