// GGUF's numbers for what handloom names otherwise; the reader and the writer share them.
//
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include "base/dtype.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace handloom::formats {

inline constexpr uint32_t kGgufVersion = 3;
inline constexpr uint64_t kGgufAlignment = 32;       // where general.alignment says nothing
inline constexpr uint32_t kQuantisationVersion = 2;  // general.quantization_version

/// Types of metadata values, as in the file.
enum class GgufType : uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

/// "u32", "string", ...; "" for a number that is no type.
std::string_view to_string(GgufType type);

/// Bytes of one value; 0 for string and array, which have no fixed size.
uint32_t value_bytes(GgufType type);

/// A tensor's element type, as in the file.
struct GgmlType {
  uint32_t id;
  std::string_view name;       // "Q4_K"
  std::optional<DType> dtype;  // what handloom reads it as; nullopt: it does not
};

/// The type of this number, or nullptr if nobody gave it out.
const GgmlType* find_ggml_type(uint32_t id);
/// The type that handloom writes `dtype` as, or nullptr if GGUF has none.
const GgmlType* find_ggml_type(DType dtype);
/// "F32, F16, ...": all that handloom reads.
std::string supported_ggml_types();

}  // namespace handloom::formats
