// What the tests of this room share: hostile files built by formula, folders that clean up, and the
// check that an error is the one meant.
#pragma once

#include "base/file.h"
#include "base/result.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

namespace handloom::formats {

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// A safetensors file: the header's length, the header, the data.
inline std::string safetensors_file(std::string_view header, std::string_view data,
                                    std::optional<uint64_t> header_length = {}) {
  const uint64_t length = header_length.value_or(header.size());
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file.append(header).append(data);
}

/// A folder of its own, removed with everything in it.
class TempFolder {
 public:
  TempFolder() {
    const auto base = std::filesystem::temp_directory_path() / "handloom_formats_XXXXXX";
    std::string name = base.string();
    if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "cannot make " << name;
    path_ = name;
  }
  TempFolder(const TempFolder&) = delete;
  ~TempFolder() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

  void write(std::string_view name, std::string_view text) const {
    const std::vector parts = {as_bytes(text)};
    ASSERT_TRUE(write_file(*this / name, parts).has_value());
  }

 private:
  std::string path_;
};

/// `result` is an error of this code whose message is one line that holds every fragment.
template <class T>
void expect_error(const Result<T>& result, ErrorCode code,
                  std::initializer_list<std::string_view> fragments) {
  ASSERT_FALSE(result.has_value()) << "expected an error with '" << *fragments.begin() << "'";
  const std::string& message = result.error().message;
  EXPECT_EQ(to_string(result.error().code), to_string(code)) << message;
  for (const std::string_view fragment : fragments) {
    EXPECT_NE(message.find(fragment), std::string::npos)
        << "message: " << message << "\nexpected in it: " << fragment;
  }
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  EXPECT_LT(message.size(), 600u) << message;
}

/// The value, or a failure that shows the error and ends the test.
#define ASSERT_OK(declaration, expression) \
  ASSERT_OK_(declaration, expression, HANDLOOM_CONCAT(ok_, __LINE__))
#define ASSERT_OK_(declaration, expression, result)          \
  auto result = (expression);                                \
  ASSERT_TRUE(result.has_value()) << result.error().message; \
  declaration = std::move(*result)

/// The same for a Result<void>.
#define ASSERT_DONE(expression) \
  if (const auto done = (expression); !done) FAIL() << done.error().message

}  // namespace handloom::formats
