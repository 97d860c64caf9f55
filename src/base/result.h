// Short forms for Result<T>: building an Error from a format string, and passing one up.
#pragma once

#include <fmt/format.h>

#include <handloom/error.h>

#include <utility>

namespace handloom {

/// fail() without its arguments' types.
Failure fail_with(ErrorCode code, fmt::string_view text, fmt::format_args args);

/// An Error, ready to be returned from any function that returns a Result.
///
///     return fail(ErrorCode::bad_format, "{}: header length {} is past the end", path, length);
template <class... Args>
[[gnu::cold, gnu::noinline]] Failure fail(ErrorCode code, fmt::format_string<const Args&...> text,
                                          const Args&... args) {
  return fail_with(code, text, fmt::make_format_args(args...));
}

}  // namespace handloom

#define HANDLOOM_CONCAT_(a, b) a##b
#define HANDLOOM_CONCAT(a, b) HANDLOOM_CONCAT_(a, b)

/// `TRY(auto header, parse(bytes));` declares `header`, or returns the error of parse(). What only
/// is looked at need not be moved: `TRY(const std::string& text, read(path));`.
#define TRY(declaration, expression) \
  TRY_(declaration, expression, HANDLOOM_CONCAT(try_result_, __LINE__))
#define TRY_(declaration, expression, result)      \
  auto result = (expression);                      \
  if (!result) return std::move(result).failure(); \
  declaration = std::move(*result)

/// `CHECK_OK(write(bytes));` returns the error of a Result<void> or of a Result nobody needs.
#define CHECK_OK(expression)                                 \
  if (auto check_ok_result = (expression); !check_ok_result) \
  return std::move(check_ok_result).failure()
