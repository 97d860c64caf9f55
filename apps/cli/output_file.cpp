#include "output_file.h"

#include "failure.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace cli {

OutputFile::OutputFile(std::string path) : path_(std::move(path)), partial_(path_ + ".partial") {
  descriptor_ = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) refuse();
}

OutputFile::~OutputFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(partial_.c_str());
}

void OutputFile::refuse() const {
  throw Failure(fmt::format("{}: cannot be written ({}), expected a file in a folder that takes it",
                            one_line(path_), std::strerror(errno)));
}

void OutputFile::commit(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(descriptor_, text.data(), text.size());
    if (n < 0 && errno != EINTR) refuse();
    if (n > 0) text.remove_prefix(static_cast<size_t>(n));
  }
  if (std::rename(partial_.c_str(), path_.c_str()) != 0) refuse();
  ::close(descriptor_);
  descriptor_ = -1;
}

}  // namespace cli
