// GGUF files put together byte by byte, right and wrong ones, without the writer under test.
#pragma once

#include "formats/gguf_types.h"
#include "tests/formats/support.h"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace handloom::formats {

/// The bytes of a number as they lie in a file.
template <class T>
std::string raw(T value) {
  static_assert(std::is_arithmetic_v<T>);
  return std::string(reinterpret_cast<const char*>(&value), sizeof(T));
}

inline std::string raw_text(std::string_view text) {
  return raw(uint64_t{text.size()}).append(text);
}

/// An array's bytes after its type: element type, count, elements.
inline std::string raw_array(uint32_t type, uint64_t count, std::string_view elements) {
  return raw(type).append(raw(count)).append(elements);
}

struct GgufFile {
  std::string magic = "GGUF";
  uint32_t version = 3;
  std::optional<uint64_t> promised_tensors = {}, promised_keys = {};  // the truth, if not given
  uint64_t alignment = 32;
  uint64_t n_tensors = 0, n_keys = 0;
  std::string keys = "", tensors = "", data = "";

  GgufFile& key(std::string_view name, uint32_t type, std::string_view value) {
    keys.append(raw_text(name)).append(raw(type)).append(value);
    ++n_keys;
    return *this;
  }
  GgufFile& u32(std::string_view name, uint32_t value) { return key(name, 4, raw(value)); }
  GgufFile& f32(std::string_view name, float value) { return key(name, 6, raw(value)); }
  GgufFile& flag(std::string_view name, bool value) { return key(name, 7, raw(uint8_t{value})); }
  GgufFile& text(std::string_view name, std::string_view value) {
    return key(name, 8, raw_text(value));
  }
  GgufFile& array(std::string_view name, uint32_t type, uint64_t count, std::string_view elements) {
    return key(name, 9, raw_array(type, count, elements));
  }
  GgufFile& texts(std::string_view name, std::initializer_list<std::string_view> values) {
    std::string elements;
    for (const std::string_view value : values) elements += raw_text(value);
    return array(name, 8, values.size(), elements);
  }

  /// `dims` as in the file, fastest first.
  GgufFile& tensor_at(uint64_t offset, std::string_view name, uint32_t type,
                      std::initializer_list<uint64_t> dims) {
    tensors.append(raw_text(name)).append(raw(static_cast<uint32_t>(dims.size())));
    for (const uint64_t dim : dims) tensors.append(raw(dim));
    tensors.append(raw(type)).append(raw(offset));
    ++n_tensors;
    return *this;
  }
  /// After what is there already.
  GgufFile& tensor(std::string_view name, uint32_t type, std::initializer_list<uint64_t> dims,
                   std::string_view bytes) {
    data.resize((data.size() + alignment - 1) / alignment * alignment, '\0');
    tensor_at(data.size(), name, type, dims);
    data.append(bytes);
    return *this;
  }

  /// Up to the data.
  std::string head() const {
    std::string head = magic + raw(version) + raw(promised_tensors.value_or(n_tensors)) +
                       raw(promised_keys.value_or(n_keys)) + keys + tensors;
    head.resize((head.size() + alignment - 1) / alignment * alignment, '\0');
    return head;
  }
  std::string bytes() const { return head() + data; }
};

}  // namespace handloom::formats
