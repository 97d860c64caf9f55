// Result: what it holds is destroyed once, whichever way it goes.
#include "base/result.h"

#include <gtest/gtest.h>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace handloom {
namespace {

/// Counts how many of them there are.
class Counted {
 public:
  explicit Counted(int& n) : n_(&n) { ++n; }
  Counted(Counted&& other) noexcept : n_(other.n_) { ++*n_; }
  Counted& operator=(Counted&&) = default;
  ~Counted() { --*n_; }

 private:
  int* n_;
};

Result<Counted> make(int& n, bool fails) {
  if (fails) return fail(ErrorCode::io, "make: {} of {}", 1, "two");
  return Counted(n);
}

Result<std::string> describe(int& n, bool fails) {
  TRY(const Counted counted, make(n, fails));
  return std::to_string(n);
}

Result<void> check(int& n, bool fails) {
  CHECK_OK(describe(n, fails));
  TRY(const std::string& text, describe(n, fails));
  return text.empty() ? Result<void>(fail(ErrorCode::internal, "check: no text")) : Result<void>();
}

TEST(Result, HoldsAValueUntilItsEnd) {
  int n = 0;
  {
    const Result<Counted> made = make(n, false);
    EXPECT_TRUE(made.has_value());
    EXPECT_EQ(n, 1);
  }
  EXPECT_EQ(n, 0);
  EXPECT_TRUE(check(n, false));
  EXPECT_EQ(n, 0);
}

TEST(Result, PassesAnErrorOnThroughResultsOfOtherTypes) {
  int n = 0;
  const Result<void> checked = check(n, true);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::io);
  EXPECT_EQ(checked.error().message, "make: 1 of two");
  EXPECT_EQ(n, 0);
}

TEST(Result, IsMovedWithItsValueOrItsError) {
  int n = 0;
  Result<Counted> value = make(n, false), error = make(n, true);
  Result<Counted> moved = std::move(value);
  EXPECT_TRUE(moved);
  moved = std::move(error);
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().message, "make: 1 of two");
  moved = make(n, false);
  EXPECT_TRUE(moved);
}

TEST(Result, LeavesNoValueWhereAnErrorWasTaken) {
  int n = 0;
  {
    Result<Counted> error = make(n, true);
    const Result<std::vector<int>> other = std::move(error).failure();
    EXPECT_EQ(other.error().message, "make: 1 of two");
  }
  EXPECT_EQ(n, 0);  // nothing was destroyed that never was
}

TEST(Result, ComparesItsValue) {
  const Result<std::string> text = std::string("abc");
  EXPECT_EQ(text, "abc");
  EXPECT_NE(text, "abd");
  const Result<std::string> none = fail(ErrorCode::io, "none");
  EXPECT_NE(none, "");
  EXPECT_EQ(text.value_or("x"), "abc");
  EXPECT_EQ(none.value_or("x"), "x");
  const Result<std::optional<int>> absent = std::nullopt;
  EXPECT_TRUE(absent);
  EXPECT_EQ(absent, std::nullopt);
}

TEST(Result, IsAPointerWithoutAValue) {
  EXPECT_EQ(sizeof(Result<void>), sizeof(void*));
  EXPECT_EQ(sizeof(Result<std::unique_ptr<int>>), 2 * sizeof(void*));
}

TEST(Result, ThrowsWhereAValueWasPromised) {
  const Result<int> none = fail(ErrorCode::io, "none");
  EXPECT_THROW(none.value(), std::exception);
  EXPECT_EQ(Result<int>(3).value(), 3);
}

}  // namespace
}  // namespace handloom
