#include "base/result.h"

#include <handloom/error.h>

#include <utility>

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

Failure::Failure(Error error) : error_(new Error(std::move(error))) {}

Error Failure::passed_on;

void Failure::drop(Error* error) {
  if (error != &passed_on) delete error;
}

Failure fail_with(ErrorCode code, fmt::string_view text, fmt::format_args args) {
  return Failure(Error{code, fmt::vformat(text, args)});
}

}  // namespace handloom
