// Finding adapters through Dawn. Seen by the two Dawn files of this room alone.
#pragma once

#include "base/result.h"

#include <handloom/adapter_info.h>

#include <dawn/webgpu_cpp.h>

#include <dawn/native/DawnNative.h>

#include <memory>
#include <string>
#include <vector>

namespace handloom::gpu {

struct DawnAdapter {
  wgpu::Adapter adapter;
  AdapterInfo info;
};

/// Dawn's instance. It must outlive every object made from it. What Dawn and the drivers have to
/// remark is appended to `remarks`, which must outlive the instance.
Result<std::unique_ptr<dawn::native::Instance>> create_dawn_instance(std::string& remarks);

/// The best first, software ones last; info.index is the position.
std::vector<DawnAdapter> enumerate_dawn_adapters(const dawn::native::Instance& instance);

}  // namespace handloom::gpu
