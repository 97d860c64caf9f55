// The program as people run it, for the tests that read what it prints and what it exits with.
#pragma once

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <sstream>
#include <string>
#include <vector>

#include <sys/wait.h>

namespace cli {

namespace fs = std::filesystem;
using Json = nlohmann::json;

inline const std::string kGolden = HANDLOOM_GOLDEN_DIR;
inline const std::string kLlama2 = kGolden + "/llama2";

inline std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

struct Outcome {
  int exit_code = -1;
  std::string out, err;
};

/// A folder of its own for each test.
class Program : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / (std::string("handloom_cli_") + test->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    unsetenv("HANDLOOM_STARTER");
    setenv("HANDLOOM_TUNE", "off", 1);  // else what is chosen would depend on the hour
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// Runs a line of bash in the folder, in which `handloom` is the program.
  Outcome shell(const std::string& line) {
    write_file(folder_ / "line.sh",
               std::string("handloom() { '") + HANDLOOM_PROGRAM + "' \"$@\"; }\n" + line + "\n");
    const std::string command =
        "cd '" + folder_.string() + "' && bash line.sh > stdout.txt 2> stderr.txt < /dev/null";
    const int status = std::system(command.c_str());
    return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            .out = read_file(folder_ / "stdout.txt"),
            .err = read_file(folder_ / "stderr.txt")};
  }

  /// A copy of the golden llama2 to be broken.
  fs::path copy_of_llama2() {
    const fs::path copy = folder_ / "model";
    fs::copy(kLlama2, copy, fs::copy_options::recursive);
    return copy;
  }

  fs::path folder_;
};

/// The lines of stderr but for the one that tells of the software adapter.
inline std::vector<std::string> sentences(const std::string& err) {
  std::vector<std::string> lines;
  std::istringstream stream(err);
  for (std::string line; std::getline(stream, line);) {
    if (line.find("using the software adapter") == std::string::npos) lines.push_back(line);
  }
  return lines;
}

inline void expect_one_sentence(const Outcome& outcome, int exit_code,
                                std::initializer_list<std::string> parts) {
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
  const auto lines = sentences(outcome.err);
  ASSERT_EQ(lines.size(), 1u) << outcome.err;
  EXPECT_TRUE(lines[0].starts_with("handloom: ")) << lines[0];
  for (const std::string& part : parts) {
    EXPECT_NE(lines[0].find(part), std::string::npos) << "no '" << part << "' in: " << lines[0];
  }
}

}  // namespace cli
