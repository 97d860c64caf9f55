#include "base/result.h"

#include <handloom/error.h>

#include <memory>

namespace handloom {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument: return "invalid_argument";
    case ErrorCode::not_found: return "not_found";
    case ErrorCode::io: return "io";
    case ErrorCode::bad_format: return "bad_format";
    case ErrorCode::unsupported: return "unsupported";
    case ErrorCode::out_of_memory: return "out_of_memory";
    case ErrorCode::gpu: return "gpu";
    case ErrorCode::device_lost: return "device_lost";
    case ErrorCode::internal: return "internal";
  }
  return "internal";
}

Failure::Failure(ErrorCode code, fmt::string_view text, fmt::format_args args)
    : error_(new Error{code, fmt::vformat(text, args)}) {}

Error Failure::take() const {
  const std::unique_ptr<Error> error(error_);
  return std::move(*error);
}

}  // namespace handloom
