// Encoder and Recording: what is recorded runs in order, as often as it is submitted, and can be
// read as a plan; what contradicts a kernel's contract is refused by finish().
#include "tests/gpu/support.h"

#include "kernels/kernels.h"

namespace handloom::test {
namespace {

TEST(Encoder, RunsDispatchesAndCopiesInOrder) {
  const gpu::Tensor x = upload(device(), "x", count_up(32)),
                    y = upload(device(), "y", count_up(32));
  const gpu::Tensor halfway = upload(device(), "halfway", std::vector<uint32_t>(32));
  gpu::Encoder encoder(device(), "test");
  encoder.dispatch(scale(x, y, 2));
  encoder.copy(y, halfway);
  encoder.dispatch(scale(halfway, y, 1));
  const gpu::Recording recording = encoder.finish().value();
  device().submit(recording);
  for (uint32_t i = 0; i < 32; ++i) {
    EXPECT_EQ(download(device(), halfway)[i], 3 * i);
    EXPECT_EQ(download(device(), y)[i], 6 * i);
  }
}

TEST(Encoder, ARecordingRunsAgainOnWhatIsThereThen) {
  const gpu::Tensor x = upload(device(), "x", count_up(64)),
                    y = upload(device(), "y", count_up(64));
  gpu::Encoder encoder(device(), "test");
  encoder.dispatch(scale(x, y, 2));
  encoder.dispatch(scale(x, y, 3));
  const gpu::Recording recording = encoder.finish().value();
  const auto run = [&] {
    write_words(device(), y, count_up(64));
    return words_of(gpu::wait(device(), device().submit_and_read(recording, y)).value());
  };
  const std::vector<uint32_t> first = run();
  EXPECT_EQ(first[63], 6 * 63u);
  EXPECT_EQ(run(), first);
  device().submit(recording);
  EXPECT_EQ(download(device(), y)[63], 11 * 63u);
}

TEST(Encoder, DispatchesWithTheSameParamsShareThem) {
  const gpu::Tensor x = upload(device(), "x", count_up(32)),
                    y = upload(device(), "y", count_up(32)),
                    z = upload(device(), "z", count_up(32));
  const uint64_t before = device().memory().other;
  gpu::Encoder encoder(device(), "test");
  encoder.dispatch(scale(x, y, 2));
  encoder.dispatch(scale(x, y, 30));
  encoder.copy(y, z);
  encoder.dispatch(scale(x, z, 30));
  encoder.dispatch(scale(x, z, 2));
  const gpu::Recording recording = encoder.finish().value();
  EXPECT_EQ(device().memory().other, before + 2 * 256);
  device().submit(recording);
  EXPECT_EQ(download(device(), y)[5], 5 * 33u);
  EXPECT_EQ(download(device(), z)[5], 5 * 65u);
}

TEST(Encoder, LeavesOutWhatRepeatsAPipelineIntoTheSameBuffers) {
  const gpu::Tensor x = upload(device(), "x", count_up(32)),
                    y = upload(device(), "y", count_up(32)),
                    z = upload(device(), "z", count_up(32));
  gpu::Encoder encoder(device(), "test");
  encoder.dispatch(scale(x, y, 1));  // nobody has asked for it yet
  encoder.leave_out_repeats();
  encoder.dispatch(scale(x, y, 10));
  encoder.dispatch(scale(x, y, 100));  // left out: the factor is no part of the pipeline
  encoder.dispatch(scale(z, y, 100));  // left out: what is read does not matter
  encoder.dispatch(scale(x, z, 1000));
  gpu::Dispatch other = scale(x, y, 10000);
  other.constants = {{"workgroup_size", 32}};
  encoder.dispatch(std::move(other));
  const gpu::Recording recording = encoder.finish().value();
  EXPECT_EQ(recording.commands().size(), 4u);
  EXPECT_EQ(recording.plan().size(), 4u);
  device().submit(recording);
  EXPECT_EQ(download(device(), y)[3], 3 * 10012u);
  EXPECT_EQ(download(device(), z)[3], 3 * 1001u);
}

TEST(Encoder, ARecordingMayBeMovedAndOutliveItsTensorsNames) {
  const gpu::Tensor y = upload(device(), "y", count_up(4));
  std::optional<gpu::Recording> kept;
  {
    const gpu::Tensor x = upload(device(), "x", count_up(4));
    gpu::Encoder encoder(device(), "first");
    encoder.dispatch(scale(x, y, 1));
    kept = encoder.finish().value();
    gpu::Encoder other(device(), "second");
    other.dispatch(scale(x, y, 5));
    kept = other.finish().value();
  }
  EXPECT_EQ(kept->label(), "second");
  EXPECT_EQ(words_of(gpu::wait(device(), device().submit_and_read(*kept, y)).value()),
            (std::vector<uint32_t>{0, 6, 12, 18}));
}

TEST(Encoder, ThePlanSaysWhatRunsOnWhat) {
  gpu::Tensor x = upload(device(), "blk.0.x", count_up(32)),
              y = upload(device(), "y", count_up(32));
  gpu::Encoder encoder(device(), "test");
  encoder.dispatch({.kernel = scale_kernel(),
                    .bindings = {x, y},
                    .params = ScaleParams{.n = 32, .factor = 0.5f},
                    .constants = {{"workgroup_size", 32}},
                    .workgroups = {1, 2, 3}});
  encoder.copy(x, y);
  const gpu::Recording recording = encoder.finish().value();
  const std::vector<PlanEntry> plan = recording.plan();
  ASSERT_EQ(plan.size(), 2u);
  ASSERT_EQ(recording.commands().size(), 2u);

  const PlanEntry& entry = plan[0];
  EXPECT_EQ(entry.index, 0u);
  EXPECT_EQ(entry.kernel, "scale");
  EXPECT_EQ(entry.constants, "workgroup_size=32");
  EXPECT_EQ(entry.params, "n=32 factor=0.5");
  EXPECT_EQ(std::vector(std::begin(entry.workgroups), std::end(entry.workgroups)),
            (std::vector<uint32_t>{1, 2, 3}));
  EXPECT_EQ(entry.bytes, 256u) << "both tensors once";
  ASSERT_EQ(entry.bindings.size(), 2u);
  EXPECT_EQ(entry.bindings[0].name, "x");
  EXPECT_EQ(entry.bindings[0].tensor, "blk.0.x");
  EXPECT_EQ(entry.bindings[0].dtype, "u32");
  EXPECT_EQ(entry.bindings[0].shape, "[32]");
  EXPECT_FALSE(entry.bindings[0].written);
  EXPECT_TRUE(entry.bindings[1].written);

  const PlanEntry& copy = plan[1];
  EXPECT_EQ(copy.index, 1u);
  EXPECT_EQ(copy.kernel, "copy");
  EXPECT_FALSE(copy.bindings[0].written);
  EXPECT_TRUE(copy.bindings[1].written);
  EXPECT_EQ(copy.bytes, 256u);
}

/// What finish() says after a dispatch of `scale` that `change` has spoiled.
std::string refusal_of(const std::function<void(gpu::Dispatch&)>& change) {
  const gpu::Tensor x = upload(device(), "x", count_up(4)), y = upload(device(), "y", count_up(4));
  gpu::Dispatch dispatch = scale(x, y, 1);
  change(dispatch);
  gpu::Encoder encoder(device(), "test");
  encoder.dispatch(std::move(dispatch));
  return message_of(encoder.finish());
}

TEST(Encoder, RefusesWhatContradictsTheKernel) {
  EXPECT_EQ(refusal_of([](gpu::Dispatch&) {}), "");
  EXPECT_EQ(refusal_of([](gpu::Dispatch& d) { d.bindings.pop_back(); }),
            "scale: is given 1 tensors and 16 bytes of params, expected 2 and 16");
  EXPECT_EQ(refusal_of([](gpu::Dispatch& d) { d.params = {}; }),
            "scale: is given 2 tensors and 0 bytes of params, expected 2 and 16");
  const uint32_t most = device().adapter().limits.max_workgroups;
  for (const uint32_t n : {0u, most + 1}) {
    EXPECT_EQ(refusal_of([&](gpu::Dispatch& d) {
                d.workgroups = {1, n, 1};
              }),
              fmt::format("scale: grid dimension is {}, expected 1 to {}", n, most));
  }
}

TEST(Encoder, RefusesACopyOfUnequalSizes) {
  const gpu::Tensor x = upload(device(), "x", count_up(4)), y = upload(device(), "y", count_up(5));
  gpu::Encoder encoder(device(), "test");
  encoder.copy(x, y);
  EXPECT_EQ(message_of(encoder.finish()), "copy: 'x' has 16 bytes, 'y' has 20");
}

TEST(Encoder, TheFirstFailureStays) {
  gpu::Encoder encoder(device(), "test");
  encoder.fail("first");
  encoder.fail("second");
  const auto recording = encoder.finish();
  ASSERT_FALSE(recording);
  EXPECT_EQ(recording.error().code, ErrorCode::internal);
  EXPECT_EQ(recording.error().message, "first");
}

TEST(Encoder, StagesReachTheTapInOrderAndMayRecordCopies) {
  const gpu::Tensor x = upload(device(), "x", count_up(4)), y = upload(device(), "y", count_up(4));
  const gpu::Tensor seen = upload(device(), "seen", std::vector<uint32_t>(4));
  std::vector<std::string> names;
  gpu::Encoder encoder(device(), "test",
                       [&](gpu::Encoder& enc, std::string_view name, const gpu::Tensor& tensor) {
                         names.emplace_back(name);
                         if (name == "between") enc.copy(tensor, seen);
                       });
  encoder.dispatch(scale(x, y, 1));
  encoder.stage("between", y);
  encoder.dispatch(scale(x, y, 1));
  encoder.stage("after", y);
  device().submit(encoder.finish().value());
  EXPECT_EQ(names, (std::vector<std::string>{"between", "after"}));
  EXPECT_EQ(download(device(), seen), (std::vector<uint32_t>{0, 2, 4, 6}));
  EXPECT_EQ(download(device(), y), (std::vector<uint32_t>{0, 3, 6, 9}));
}

TEST(Params, LieAsTheKernelReadsThem) {
  // static_asserts in kernels.h hold the offsets; here, the descriptions printed from them.
  static_assert(offsetof(kernels::RmsNormParams, eps) == 4);
  static_assert(offsetof(kernels::AttentionParams, scale) == 16);
  static_assert(sizeof(kernels::AttentionParams) == 48);
  for (const gpu::Kernel* kernel : kernels::all()) {
    EXPECT_EQ(kernel->params_bytes % 16, 0u) << kernel->name;
    for (size_t i = 0; i < kernel->params.size(); ++i) {
      EXPECT_EQ(kernel->params[i].offset, 4 * i) << kernel->name;
    }
    EXPECT_LE(4 * kernel->params.size(), kernel->params_bytes) << kernel->name;
    const bool has_params = kernel->params_bytes > 0;
    EXPECT_EQ(kernel->bindings.back().access == gpu::Access::uniform, has_params) << kernel->name;
  }
}

}  // namespace
}  // namespace handloom::test
