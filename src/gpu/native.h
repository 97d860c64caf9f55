// What only a native host can do: list adapters, open one, and wait.
#pragma once

#include "gpu/device.h"

#include <memory>
#include <string>
#include <vector>

namespace handloom::gpu {

/// Every adapter of this machine that can run kernels, the best first, software ones last. Error:
/// gpu, if there is none.
Result<std::vector<AdapterInfo>> list_adapters();

/// `choice`: an index of list_adapters(), or part of a name in any case; empty: the first.
Result<Device> open_device(std::string_view choice);

/// Blocks until the bytes are here, or the device is lost.
Result<std::vector<std::byte>> wait(Device& device, Readback readback);

}  // namespace handloom::gpu
