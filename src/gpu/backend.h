// What handloom needs of WebGPU, in fourteen calls that never wait. Implemented over Dawn
// (backend_dawn.cpp); a page can do the same over navigator.gpu. Everything else in this room is
// shared.
//
// Objects are named by small ids. A call that the GPU refuses still returns an id; the refusal is
// kept and comes out of the next take_error(), after a readback has completed at the latest.
#pragma once

#include "base/result.h"
#include "gpu/kernel.h"

#include <handloom/adapter_info.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace handloom::gpu {

using Id = uint32_t;

enum class BufferUse : uint8_t {
  storage,   // bound to kernels, copied from and to
  uniform,   // parameters
  readback,  // copied to, then mapped for reading
  stamps,    // u64 times that a submit writes, only to be copied from; at most kMostStamps of them
};

inline constexpr uint32_t kMostStamps = 4096;  // WebGPU's largest query set

/// A range of a buffer, as one binding of a bind group.
struct BufferRange {
  Id buffer = 0;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

/// One entry of a submit. Plain words, so that a page can read a list of them from memory.
struct Command {
  enum class Kind : uint32_t { dispatch, copy } kind = Kind::dispatch;
  // dispatch
  Id pipeline = 0;
  Id bind_group = 0;
  uint32_t workgroups[3] = {1, 1, 1};
  // copy
  BufferRange from, to;  // equal bytes, multiples of 4
};

/// What a submit writes down of the GPU's clock, in nanoseconds. Needs the feature timestamp-query.
struct Stamping {
  enum class Kind : uint32_t {
    none,
    whole,  // two stamps: before the list and after it
    each,   // two stamps a command; every dispatch in a pass of its own, which costs time itself
  } kind = Kind::none;
  Id stamps = 0;       // a buffer of that use
  uint32_t first = 0;  // its stamp to begin with
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual const AdapterInfo& adapter() const = 0;

  virtual Id create_buffer(std::string_view label, uint64_t bytes, BufferUse use) = 0;
  /// A buffer in the host's memory that holds `bytes`, only to be copied from.
  virtual Id create_host_buffer(std::string_view label, std::span<const std::byte> bytes) = 0;
  virtual void destroy_buffer(Id buffer) = 0;
  /// Happens before any later submit. Offset and size are multiples of 4.
  virtual void write_buffer(Id buffer, uint64_t offset, std::span<const std::byte> bytes) = 0;

  virtual Id create_pipeline(std::string_view label, const Kernel& kernel,
                             std::span<const Constant> constants) = 0;
  virtual Id create_bind_group(std::string_view label, Id pipeline,
                               std::span<const BufferRange> bindings) = 0;
  virtual void destroy_bind_group(Id bind_group) = 0;

  virtual void submit(std::string_view label, std::span<const Command> commands,
                      const Stamping& stamping) = 0;

  /// Starts mapping a readback buffer; its content is that after all submits so far.
  virtual void start_map(Id buffer, uint64_t bytes) = 0;
  virtual bool is_mapped(Id buffer) = 0;
  /// Copies the mapped bytes out and unmaps. Only after is_mapped() or a failed map (then no
  /// bytes).
  virtual void finish_map(Id buffer, std::span<std::byte> out) = 0;

  /// The first refusal since the last call, if any: compile errors, validation, out of memory,
  /// loss.
  virtual std::optional<Error> take_error() = 0;

  /// For tests: as if the adapter had been unplugged.
  virtual void lose_device() = 0;
};

}  // namespace handloom::gpu
