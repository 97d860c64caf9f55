// What an op says about tensors that do not fit together.
#pragma once

#include "tests/support/gpu_device.h"

#include "gpu/encoder.h"

#include <functional>
#include <string>

namespace handloom::test {

/// A tensor without memory: enough for an op that must refuse it.
inline gpu::Tensor unbacked(DType dtype, Shape shape, std::string name) {
  return {.shape = shape, .dtype = dtype, .name = std::move(name)};
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
  return recording ? "" : recording.error().message;
}

}  // namespace handloom::test
