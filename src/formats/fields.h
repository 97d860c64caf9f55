// Fields of the configuration files, with the ranges that keep a hostile value from growing into a
// hostile allocation. On top of base's JsonObject.
#pragma once

#include "base/dtype.h"
#include "base/json.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::formats {

/// An interval of numbers; `low_open`: without its low end itself, and likewise `high_open`.
struct Range {
  double low, high;
  bool low_open = false, high_open = false;

  bool holds(double value) const {  // false for a NaN
    return (low_open ? value > low : value >= low) && (high_open ? value < high : value <= high);
  }
};

/// "more than 0 and at most 1"
std::string to_string(const Range& range);

Result<uint32_t> get_u32_in(const JsonObject& object, std::string_view key, uint32_t low,
                            uint32_t high);
Result<std::optional<uint32_t>> find_u32_in(const JsonObject& object, std::string_view key,
                                            uint32_t low, uint32_t high);
Result<float> get_float_in(const JsonObject& object, std::string_view key, const Range& range);
Result<std::optional<float>> find_float_in(const JsonObject& object, std::string_view key,
                                           const Range& range);

/// Token ids given as one number or as a list; empty if the key is absent or null.
Result<std::vector<uint32_t>> find_ids(const JsonObject& object, std::string_view key);

Result<std::vector<uint64_t>> get_u64_list(const JsonObject& object, std::string_view key);

/// `where` names the tensor. Error: unsupported, for more dimensions or larger ones than a Shape
/// has.
Result<Shape> to_shape(const std::vector<uint64_t>& dims, const std::string& where);

/// Whether this names a file of the same folder: anything that could lead elsewhere does not.
bool is_plain_file_name(std::string_view name);

}  // namespace handloom::formats
