// The part of fmt that src/ uses, in a tenth of the code: {}, {:05}, {:02x}, {:04X}, {:.1f},
// {:.6g}. Format strings are checked where the real fmt is used, in the native build; and here a
// hole without an argument stays.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace fmt {

using string_view = std::string_view;
template <class... Args>
using format_string = std::string_view;

enum class Kind : uint8_t {
  end,
  string,
  view,
  pointer,
  array,
  boolean,
  character,
  f32,
  f64,
  i8,
  i16,
  i32,
  i64,
  u8,
  u16,
  u32,
  u64
};

template <class T>
constexpr Kind kind_of() {
  if constexpr (std::same_as<T, std::string>)
    return Kind::string;
  else if constexpr (std::same_as<T, std::string_view>)
    return Kind::view;
  else if constexpr (std::is_array_v<T>)
    return Kind::array;
  else if constexpr (std::is_pointer_v<T>)
    return Kind::pointer;
  else if constexpr (std::same_as<T, bool>)
    return Kind::boolean;
  else if constexpr (std::same_as<T, char>)
    return Kind::character;
  else if constexpr (std::same_as<T, float>)
    return Kind::f32;
  else if constexpr (std::same_as<T, double>)
    return Kind::f64;
  else {
    static_assert(std::integral<T>);
    constexpr int kLog = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    return static_cast<Kind>(static_cast<int>(std::is_signed_v<T> ? Kind::i8 : Kind::u8) + kLog);
  }
}

template <Kind... kinds>
inline constexpr Kind kKinds[] = {kinds..., Kind::end};

/// What fills the holes, as places and what lies there: a call then costs an address an argument,
/// and no code of its own.
struct format_args {
  const Kind* kinds;
  const void* const* values;
};

template <Kind... kinds>
struct ArgStore {
  const void* values[sizeof...(kinds) + 1];
  operator format_args() const { return {kKinds<kinds...>, values}; }
};

template <class... Args>
ArgStore<kind_of<Args>()...> make_format_args(const Args&... args) {
  return {{&args..., nullptr}};
}

std::string vformat(std::string_view text, format_args args);

template <class... Args>
[[gnu::noinline]] std::string format(std::string_view text, const Args&... args) {
  return vformat(text, fmt::make_format_args(args...));
}

}  // namespace fmt
