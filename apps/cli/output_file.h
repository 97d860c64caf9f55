// A file that is written whole or not at all.
#pragma once

#include <string>
#include <string_view>

namespace cli {

/// Found to be writable when made, so that nothing is measured in vain; until commit() what was
/// there before stays.
class OutputFile {
 public:
  /// Throws Failure: "bench.json: cannot be written: Permission denied, expected ..."
  explicit OutputFile(std::string path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void commit(std::string_view text);

 private:
  [[noreturn]] void refuse() const;

  std::string path_, partial_;
  int descriptor_ = -1;
};

}  // namespace cli
