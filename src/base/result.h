// Short forms for Result<T>: building an Error from a format string, and passing one up.
#pragma once

#include <fmt/format.h>

#include <handloom/error.h>

#include <utility>

namespace handloom {

/// What fail() answers: an Error that becomes a Result of any type, once, where it is returned. A
/// bare pointer, which costs no code on the way; there are hundreds of places that fail.
class [[nodiscard]] Failure {
 public:
  Failure(ErrorCode code, fmt::string_view text, fmt::format_args args);

  template <class T>
  [[gnu::cold, gnu::noinline]] operator Result<T>() const {  // NOLINT: meant to convert
    return Result<T>(std::unexpect, take());
  }
  operator std::unexpected<Error>() const { return std::unexpected(take()); }  // NOLINT

 private:
  Error take() const;

  Error* error_;
};

/// An Error, ready to be returned from any function that returns a Result.
///
///     return fail(ErrorCode::bad_format, "{}: header length {} is past the end", path, length);
template <class... Args>
[[gnu::cold, gnu::noinline]] Failure fail(ErrorCode code, fmt::format_string<const Args&...> text,
                                          const Args&... args) {
  return Failure(code, text, fmt::make_format_args(args...));
}

/// An error on its way up, which becomes a Result of any type. TRY stands in the code so often that
/// what it does when it fails is kept out of line.
class Passed {
 public:
  explicit Passed(Error& error) : error_(error) {}
  template <class T>
  [[gnu::cold, gnu::noinline]] operator Result<T>() const {  // NOLINT: meant to convert
    return Result<T>(std::unexpect, std::move(error_));
  }

 private:
  Error& error_;
};

}  // namespace handloom

#define HANDLOOM_CONCAT_(a, b) a##b
#define HANDLOOM_CONCAT(a, b) HANDLOOM_CONCAT_(a, b)

/// `TRY(auto header, parse(bytes));` declares `header`, or returns the error of parse(). What only
/// is looked at need not be moved: `TRY(const std::string& text, read(path));`.
#define TRY(declaration, expression) \
  TRY_(declaration, expression, HANDLOOM_CONCAT(try_result_, __LINE__))
#define TRY_(declaration, expression, result)             \
  auto result = (expression);                             \
  if (!result) return ::handloom::Passed(result.error()); \
  declaration = std::move(*result)

/// `CHECK_OK(write(bytes));` returns the error of a Result<void> or of a Result nobody needs.
#define CHECK_OK(expression)                                 \
  if (auto check_ok_result = (expression); !check_ok_result) \
  return ::handloom::Passed(check_ok_result.error())
