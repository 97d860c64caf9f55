// What an op says about tensors that do not fit together.
#pragma once

#include "tests/support/gpu_device.h"

#include "gpu/encoder.h"

#include <functional>
#include <string>

namespace handloom::test {

/// A tensor with less memory than its shape says: enough for an op that must refuse it.
inline gpu::Tensor unbacked(DType dtype, Shape shape, std::string name) {
  gpu::Tensor tensor = device().create_tensor(name, dtype, {4}, gpu::MemoryKind::other).value();
  tensor.shape = shape;
  return tensor;
}
inline gpu::Tensor f32(Shape shape, std::string name) {
  return unbacked(DType::f32, shape, std::move(name));
}
inline gpu::Tensor u32(Shape shape, std::string name) {
  return unbacked(DType::u32, shape, std::move(name));
}

/// The message with which Encoder::finish() refuses what `record` recorded, or "" if it does not.
inline std::string refusal(const std::function<void(gpu::Encoder&)>& record) {
  gpu::Encoder encoder(device(), "test");
  record(encoder);
  const Result<gpu::Recording> recording = encoder.finish();
  if (!recording) return recording.error().message;
  (void)gpu::wait(device(), device().settle());  // what the GPU says is not for the next test
  return "";
}

}  // namespace handloom::test
