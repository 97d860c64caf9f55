// The part of fmt that src/ uses, in a tenth of the code: {}, {:05}, {:02x}, {:04X}, {:.1f},
// {:.6g}. Format strings are checked where the real fmt is used, in the native build; here a hole
// without an argument stays as it is.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace fmt {

/// What fills a hole. Does not own its text.
class Arg {
 public:
  Arg(std::string_view text) : kind_(Kind::text), text_(text) {}        // NOLINT: all meant to
  Arg(const std::string& text) : Arg(std::string_view(text)) {}         // NOLINT  convert
  Arg(const char* text) : Arg(std::string_view(text)) {}                // NOLINT
  Arg(char c) : kind_(Kind::character), whole_(c) {}                    // NOLINT
  Arg(bool value) : Arg(std::string_view(value ? "true" : "false")) {}  // NOLINT
  Arg(double value) : kind_(Kind::f64), number_(value) {}               // NOLINT
  Arg(float value) : kind_(Kind::f32), number_(double{value}) {}        // NOLINT
  template <std::integral T>
  Arg(T value)  // NOLINT
      : kind_(std::is_signed_v<T> ? Kind::i64 : Kind::u64), whole_(static_cast<uint64_t>(value)) {}

  /// `spec`: what stands behind the colon.
  void append_to(std::string& out, std::string_view spec) const;

 private:
  enum class Kind : uint8_t { text, character, i64, u64, f32, f64 };

  Kind kind_;
  union {
    std::string_view text_;
    uint64_t whole_;
    double number_;
  };
};

template <class... Args>
using format_string = std::string_view;

std::string vformat(std::string_view text, const Arg* args, size_t n);

template <class... Args>
std::string format(std::string_view text, const Args&... args) {
  const Arg list[] = {Arg(args)..., Arg(0)};
  return vformat(text, list, sizeof...(args));
}

}  // namespace fmt
