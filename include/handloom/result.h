// Result<T>: a value, or the Error that stands in its place. What std::expected<T, Error> is, but
// the error is one pointer, Result<void> that pointer alone, and what passes an error on is
// inlined: a page fetches every instruction of some thousand calls that may fail.
#pragma once

#include <concepts>
#include <expected>
#include <memory>
#include <type_traits>
#include <utility>

#if defined(__clang__)
#define HANDLOOM_IN_REGISTERS [[clang::trivial_abi]]  // passed as what it holds
#else
#define HANDLOOM_IN_REGISTERS
#endif

namespace handloom {

struct Error;

template <class T>
class Result;

/// An Error on its way to whoever asked: what a function returns that has no value. Becomes a
/// Result of any type.
class [[nodiscard]] HANDLOOM_IN_REGISTERS Failure {
 public:
  explicit Failure(Error error);
  [[gnu::always_inline]] Failure(Failure&& other) noexcept : error_(other.release()) {}
  Failure& operator=(Failure&& other) noexcept {
    std::swap(error_, other.error_);
    return *this;
  }
  [[gnu::always_inline]] ~Failure() {
    if (error_ != nullptr) drop(error_);
  }

 private:
  template <class T>
  friend class Result;

  Failure() = default;  // nothing failed
  Error* release() { return std::exchange(error_, nullptr); }
  static void drop(Error* error);  // but for `passed_on`
  /// Throws as std::expected does, or ends a program that has no exceptions.
  static void no_value() { std::expected<void, int>(std::unexpect, 0).value(); }

  static Error passed_on;  // where a Result points whose error is another's now

  Error* error_ = nullptr;
};

template <>
class [[nodiscard]] HANDLOOM_IN_REGISTERS Result<void> {
 public:
  Result() = default;
  Result(Result&&) = default;
  Result& operator=(Result&&) = default;
  [[gnu::always_inline]] ~Result() = default;
  [[gnu::always_inline]] Result(Failure failure) noexcept
      : failure_(std::move(failure)) {}  // NOLINT: meant to convert

  bool has_value() const { return failure_.error_ == nullptr; }
  explicit operator bool() const { return has_value(); }
  void value() const {
    if (!has_value()) Failure::no_value();
  }
  /// Where there is no value.
  const Error& error() const { return *failure_.error_; }
  [[gnu::always_inline]] Failure failure() && { return std::move(failure_); }

 private:
  Failure failure_;
};

template <class T>
class [[nodiscard]] HANDLOOM_IN_REGISTERS Result {
 public:
  Result() requires std::default_initializable<T> : value_() {}
  template <class U = T>
  requires(std::convertible_to<U&&, T> && !std::same_as<std::remove_cvref_t<U>, Result>)
      Result(U&& value)
      : value_(std::forward<U>(value)) {}  // NOLINT: meant to convert
  [[gnu::always_inline]] Result(Failure failure) noexcept
      : error_(failure.release()) {}  // NOLINT: meant to convert
  Result(Result&& other) noexcept : error_(other.release()) {
    if (error_ == nullptr) std::construct_at(&value_, std::move(other.value_));
  }
  Result& operator=(Result&& other) noexcept {
    if (this != &other) {
      std::destroy_at(this);
      std::construct_at(this, std::move(other));
    }
    return *this;
  }
  [[gnu::always_inline]] ~Result() requires std::is_trivially_destructible_v<T> {
    if (error_ != nullptr) Failure::drop(error_);
  }
  ~Result() {
    if (error_ != nullptr) {
      Failure::drop(error_);
    } else {
      value_.~T();
    }
  }

  bool has_value() const { return error_ == nullptr; }
  explicit operator bool() const { return has_value(); }

  /// Where there is a value.
  T& operator*() & { return value_; }
  const T& operator*() const& { return value_; }
  T&& operator*() && { return std::move(value_); }
  T* operator->() { return &value_; }
  const T* operator->() const { return &value_; }
  /// For callers that know there is one.
  T& value() & { return checked(), value_; }
  const T& value() const& { return checked(), value_; }
  T&& value() && { return checked(), std::move(value_); }
  template <class U>
  T value_or(U&& other) const& {
    return has_value() ? value_ : static_cast<T>(std::forward<U>(other));
  }

  /// Where there is no value.
  const Error& error() const { return *error_; }
  [[gnu::always_inline]] Failure failure() && {
    Failure failed;
    failed.error_ = release();
    return failed;
  }

  template <class U>
  requires(!std::same_as<U, Result>) friend bool operator==(const Result& result, const U& value) {
    return result.has_value() && *result == value;
  }

 private:
  /// The error, if there is one, whose owner the caller is now. There is no value then, still.
  [[gnu::always_inline]] Error* release() {
    if constexpr (std::is_trivially_destructible_v<T>) return std::exchange(error_, nullptr);
    return has_value() ? nullptr : std::exchange(error_, &Failure::passed_on);
  }
  void checked() const {
    if (!has_value()) Failure::no_value();
  }

  union {
    T value_;
  };
  Error* error_ = nullptr;  // or there is a value
};

}  // namespace handloom
