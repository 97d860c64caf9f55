#include "text_stream.h"

#include "terminal.h"

#include <algorithm>
#include <string>

namespace cli {

bool TextStream::write(std::string_view text) noexcept {
  try {
    write_stdout(text);
    n_written_ += text.size();
    return !interrupted();
  } catch (...) {
    failure_ = std::current_exception();
    return false;
  }
}

void TextStream::finish(std::string_view text) {
  if (failure_) std::rethrow_exception(failure_);
  write_stdout(std::string(text.substr(std::min(n_written_, text.size()))) + "\n");
}

}  // namespace cli
