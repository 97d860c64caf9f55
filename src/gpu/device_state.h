// What a Device shares with its buffers and readbacks, so that the order of their ends is free.
#pragma once

#include "gpu/device.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace handloom::gpu {

class DeviceState {
 public:
  explicit DeviceState(std::unique_ptr<Backend> b)
      : backend(std::move(b)), features(backend->adapter().features) {}

  uint64_t& used(MemoryKind kind);
  /// A readback buffer of at least `bytes` and not many more, from the pool or new.
  Id borrow_readback(uint64_t bytes);
  void return_readback(Id buffer);
  /// Instead of returning it, whatever it was waiting for.
  void drop_readback(Id buffer);
  /// To the backend, with two stamps while a trace is on.
  void submit(std::string_view label, std::span<const Command> commands);

  std::unique_ptr<Backend> backend;
  Features features;  // what ops may choose by
  MemoryUse memory;
  std::map<std::string, Id> pipelines;         // by kernel name and constants
  std::multimap<uint64_t, Id> idle_readbacks;  // by size
  std::map<Id, uint64_t> readback_bytes;
  std::optional<Stamping> trace;  // of the next submit, while a trace is on
  std::optional<Error> lost;      // once lost, every later call says so
};

}  // namespace handloom::gpu
