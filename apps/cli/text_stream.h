// Generated text on its way to stdout.
#pragma once

#include <cstddef>
#include <exception>
#include <string_view>

namespace cli {

/// For GenerateOptions::on_text, which must not throw: the first failure is kept for later.
class TextStream {
 public:
  /// Writes `text`. False if the generation is to end: after Ctrl-C, or when nothing can be
  /// written.
  bool write(std::string_view text) noexcept;
  /// The rest of the whole `text` and a newline, or the failure of before.
  void finish(std::string_view text);

 private:
  size_t n_written_ = 0;
  std::exception_ptr failure_;
};

}  // namespace cli
