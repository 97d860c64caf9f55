// Errors of the GPU come late, but they come: at the next wait, as an Error, and only once. Each
// test has a device of its own.
#include "tests/gpu/support.h"

#include <gmock/gmock.h>

namespace handloom::test {
namespace {

using testing::HasSubstr;

gpu::Kernel broken_kernel(std::string_view source) {
  static constexpr gpu::KernelBinding kBindings[] = {{"y", gpu::Access::write}};
  return {.name = "broken", .entry_point = "broken", .source = source, .bindings = kBindings};
}

gpu::Recording record(gpu::Device& on, const gpu::Kernel& kernel, const gpu::Tensor& y) {
  gpu::Encoder encoder(on, "test");
  encoder.dispatch({.kernel = kernel, .bindings = {y}});
  return encoder.finish().value();
}

/// Waits once for the error and once for its absence, and shows that the device still works.
void expect_error(gpu::Device& own, ErrorCode code, const std::string& part) {
  const auto waited = gpu::wait(own, own.settle());
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, code);
  EXPECT_THAT(waited.error().message, HasSubstr(part));
  EXPECT_EQ(waited.error().message.find('\n'), std::string::npos) << waited.error().message;
  EXPECT_EQ(waited.error().message.find("(unlabeled)"), std::string::npos)
      << waited.error().message;
  EXPECT_TRUE(gpu::wait(own, own.settle()));
  EXPECT_EQ(download(own, upload(own, "words", count_up(5))), count_up(5));
}

TEST(GpuErrors, AKernelThatDoesNotCompile) {
  gpu::Device own = gpu::open_device("").value();
  const gpu::Tensor y = upload(own, "y", count_up(64));
  const gpu::Recording recording = record(own, broken_kernel("fn broken() {"), y);
  expect_error(own, ErrorCode::gpu, "broken:1:14");
}

TEST(GpuErrors, ADispatchOfAKernelThatDidNotCompileIsNoSilence) {
  gpu::Device own = gpu::open_device("").value();
  const gpu::Tensor y = upload(own, "y", count_up(64));
  const gpu::Recording recording = record(own, broken_kernel("fn broken() {"), y);
  EXPECT_FALSE(gpu::wait(own, own.settle()));
  for (int i = 0; i < 2; ++i) {  // every submit of it is an error again
    const auto result = gpu::wait(own, own.submit_and_read(recording, y));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::gpu);
    EXPECT_THAT(result.error().message, HasSubstr("broken"));
  }
  EXPECT_EQ(download(own, y), count_up(64));
}

TEST(GpuErrors, AnEntryPointThatIsNotThere) {
  gpu::Device own = gpu::open_device("").value();
  const gpu::Tensor y = upload(own, "y", count_up(64));
  const gpu::Recording recording =
      record(own, broken_kernel("@compute @workgroup_size(1) fn other() {}"), y);
  expect_error(own, ErrorCode::gpu, "kernel 'broken'");
}

TEST(GpuErrors, AConstantThatTheKernelDoesNotHave) {
  gpu::Device own = gpu::open_device("").value();
  own.pipeline(scale_kernel(), std::vector<gpu::Constant>{{"workgrup_size", 32}});
  expect_error(own, ErrorCode::gpu, "workgrup_size");
}

TEST(GpuErrors, AWorkgroupBeyondTheLimit) {
  gpu::Device own = gpu::open_device("").value();
  own.pipeline(scale_kernel(), std::vector<gpu::Constant>{{"workgroup_size", 1 << 20}});
  expect_error(own, ErrorCode::gpu, "scale");
}

TEST(GpuErrors, ACopyBeyondTheEnd) {
  gpu::Device own = gpu::open_device("").value();
  gpu::Tensor from = upload(own, "from", count_up(64));
  const gpu::Tensor to = upload(own, "to", count_up(80));
  from.shape = {80};
  gpu::Encoder encoder(own, "step 7");
  encoder.copy(from, to);
  own.submit(encoder.finish().value());
  expect_error(own, ErrorCode::gpu, "from");
}

TEST(GpuErrors, ABindingBeyondTheEnd) {
  gpu::Device own = gpu::open_device("").value();
  const gpu::Tensor x = upload(own, "x", count_up(64));
  gpu::Tensor y = upload(own, "y", count_up(64));
  y.shape = {1000};
  gpu::Encoder encoder(own, "test");
  encoder.dispatch(scale(x, y, 1));
  own.submit(encoder.finish().value());
  expect_error(own, ErrorCode::gpu, "bind group of 'scale'");
}

TEST(GpuErrors, OneBufferReadAndWrittenInOneDispatch) {
  gpu::Device own = gpu::open_device("").value();
  const gpu::Tensor x = upload(own, "x", count_up(64));
  gpu::Encoder encoder(own, "test");
  encoder.dispatch(scale(x, x, 1));
  own.submit(encoder.finish().value());
  expect_error(own, ErrorCode::gpu, "x");
}

TEST(GpuErrors, AWriteBeyondTheEnd) {
  gpu::Device own = gpu::open_device("").value();
  const gpu::Tensor y = upload(own, "y", count_up(4));
  write_words(own, y, count_up(8));
  expect_error(own, ErrorCode::gpu, "y");
}

TEST(GpuErrors, TheFirstOfSeveralIsTold) {
  gpu::Device own = gpu::open_device("").value();
  const gpu::Tensor y = upload(own, "y", count_up(4));
  write_words(own, y, count_up(8));
  own.pipeline(scale_kernel(), std::vector<gpu::Constant>{{"workgrup_size", 32}});
  expect_error(own, ErrorCode::gpu, "y");
}

TEST(DeviceLoss, EndsTheNextWaitAndAllLaterOnes) {
  gpu::Device own = gpu::open_device("").value();
  const gpu::Tensor x = upload(own, "x", count_up(64)), y = upload(own, "y", count_up(64));
  gpu::Encoder encoder(own, "test");
  encoder.dispatch(scale(x, y, 1));
  const gpu::Recording recording = encoder.finish().value();
  own.submit(recording);
  gpu::Readback under_way = own.read(y);
  own.backend().lose_device();

  const auto first = gpu::wait(own, std::move(under_way));
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, ErrorCode::device_lost);
  EXPECT_EQ(first.error().message,
            fmt::format("device: adapter '{}' was lost: unplugged by a test", own.adapter().name));
  for (const auto& later : {gpu::wait(own, own.read(y)), gpu::wait(own, own.settle()),
                            gpu::wait(own, own.submit_and_read(recording, y))}) {
    ASSERT_FALSE(later);
    EXPECT_EQ(later.error().code, ErrorCode::device_lost);
    EXPECT_EQ(later.error().message, first.error().message);
  }
}

TEST(DeviceLoss, LeavesEverythingElseCallable) {
  std::optional<gpu::Recording> recording;
  gpu::Tensor x, y;
  {
    gpu::Device own = gpu::open_device("").value();
    x = upload(own, "x", count_up(64));
    own.backend().lose_device();
    y = upload(own, "y", count_up(64));
    gpu::Encoder encoder(own, "test");
    encoder.dispatch(scale(x, y, 1));
    encoder.copy(x, y);
    recording = encoder.finish().value();
    own.submit(*recording);
    EXPECT_EQ(gpu::wait(own, own.settle()).error().code, ErrorCode::device_lost);
  }
  recording.reset();  // after its device, and before its tensors
}

TEST(DeviceLoss, WinsOverEarlierErrors) {
  gpu::Device own = gpu::open_device("").value();
  const gpu::Tensor y = upload(own, "y", count_up(4));
  write_words(own, y, count_up(8));
  own.backend().lose_device();
  EXPECT_EQ(gpu::wait(own, own.settle()).error().code, ErrorCode::device_lost);
}

TEST(DeviceLoss, LeavesOtherDevicesAlone) {
  gpu::Device lost = gpu::open_device("").value(), kept = gpu::open_device("").value();
  lost.backend().lose_device();
  EXPECT_FALSE(gpu::wait(lost, lost.settle()));
  EXPECT_EQ(download(kept, upload(kept, "words", count_up(5))), count_up(5));
}

}  // namespace
}  // namespace handloom::test
