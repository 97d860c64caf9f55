// Models for tests of the engine: a golden one that was made for longer contexts than its config
// says, for its weights are random anyway.
#pragma once

#include "tests/support/paths.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace handloom::test {

/// A copy of a golden model with another max_position_embeddings, gone with the object.
class LongModel {
 public:
  LongModel(const std::string& name, uint32_t max_seq_len)
      : folder_(std::filesystem::temp_directory_path() /
                ("handloom_long_" + name + std::to_string(max_seq_len))) {
    namespace fs = std::filesystem;
    fs::remove_all(folder_);
    fs::copy(golden_dir() + "/" + name, folder_);
    const fs::path config = folder_ / "config.json";
    fs::permissions(config, fs::perms::owner_write, fs::perm_options::add);
    std::stringstream text;
    text << std::ifstream(config).rdbuf();
    std::string json = text.str();
    const std::string old = "\"max_position_embeddings\": 512";
    EXPECT_NE(json.find(old), std::string::npos);
    json.replace(json.find(old), old.size(),
                 "\"max_position_embeddings\": " + std::to_string(max_seq_len));
    std::ofstream(config) << json;
  }
  ~LongModel() { std::filesystem::remove_all(folder_); }
  LongModel(const LongModel&) = delete;
  LongModel& operator=(const LongModel&) = delete;

  std::string folder() const { return folder_.string(); }

 private:
  std::filesystem::path folder_;
};

}  // namespace handloom::test
