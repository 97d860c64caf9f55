// Error and Result: how every fallible call of handloom answers.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace handloom {

/// What kind of thing went wrong. A caller switches on this; a person reads Error::message.
enum class ErrorCode {
  invalid_argument,  // an option or a call that cannot be meant
  not_found,         // a file, folder, tensor or adapter that is not there
  io,                // the system refused to read or write
  bad_format,        // a file whose bytes contradict its format or another file
  unsupported,       // well-formed, but something handloom does not do
  out_of_memory,     // does not fit: the message says what would
  gpu,               // the GPU or its driver refused something
  device_lost,       // the GPU went away
  internal,          // a mistake of handloom's own
};

/// The lower-case name of a code, such as "bad_format".
std::string_view to_string(ErrorCode code);

/// One sentence: `where: what 'name' is X, expected Y; what to do`.
struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

}  // namespace handloom
