// Files: read whole, written whole or not at all.
#include "base/file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

namespace handloom {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  static std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
  }

  const fs::path folder_ = fs::temp_directory_path() / "handloom_base_files";
  const std::string path_ = folder_ / "a";
};

TEST_F(Files, AreReadBackAsTheirPartsWereWritten) {
  const std::span<const std::byte> parts[] = {bytes("ab"), bytes(""), bytes("c")};
  ASSERT_TRUE(write_file(path_, parts));
  EXPECT_EQ(read_text_file(path_).value(), "abc");
  EXPECT_TRUE(file_exists(path_));
  EXPECT_FALSE(file_exists(path_ + ".partial"));
}

TEST_F(Files, AnEmptyFileMapsToNothing) {
  ASSERT_TRUE(write_file(path_, {}));
  EXPECT_TRUE(MappedFile::open(path_).value().bytes().empty());
}

TEST_F(Files, AMappingMovesWithItsBytes) {
  const std::span<const std::byte> parts[] = {bytes("abc")};
  ASSERT_TRUE(write_file(path_, parts));
  MappedFile first = MappedFile::open(path_).value();
  MappedFile second = std::move(first);
  EXPECT_EQ(second.bytes().size(), 3u);
  EXPECT_EQ(std::memcmp(second.bytes().data(), "abc", 3), 0);
}

TEST_F(Files, SayWhatIsWrong) {
  EXPECT_EQ(read_text_file(path_).error().code, ErrorCode::not_found);
  EXPECT_NE(read_text_file(path_).error().message.find(path_), std::string::npos);
  EXPECT_EQ(MappedFile::open(folder_).error().message,
            folder_.string() + ": is not a regular file");
  EXPECT_EQ(write_file(folder_ / "no" / "a", {}).error().code, ErrorCode::not_found);
  const std::span<const std::byte> parts[] = {bytes("abc")};
  ASSERT_TRUE(write_file(path_, parts));
  EXPECT_FALSE(read_text_file(path_, 2));
}

TEST_F(Files, AFailedWriteLeavesTheOldFile) {
  const std::span<const std::byte> parts[] = {bytes("old")};
  ASSERT_TRUE(write_file(path_, parts));
  fs::create_directory(path_ + ".partial");  // in the way of the new one
  EXPECT_FALSE(write_file(path_, parts));
  EXPECT_EQ(read_text_file(path_).value(), "old");
}

}  // namespace
}  // namespace handloom
