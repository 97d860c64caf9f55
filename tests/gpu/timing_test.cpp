// The GPU's clock: spans of commands and of submits, and what an adapter without it says.
#include "tests/gpu/support.h"

namespace handloom::test {
namespace {

/// `n` dispatches that count y up by x, with a copy of y behind the first.
gpu::Recording counting(const gpu::Tensor& x, const gpu::Tensor& y, const gpu::Tensor& copy,
                        uint32_t n) {
  gpu::Encoder encoder(device(), "counting");
  for (uint32_t i = 0; i < n; ++i) {
    encoder.dispatch(scale(x, y, 1));
    if (i == 0) encoder.copy(y, copy);
  }
  return encoder.finish().value();
}

std::vector<gpu::GpuSpan> spans_from(gpu::Readback readback) {
  const auto bytes = gpu::wait(device(), std::move(readback));
  EXPECT_TRUE(bytes) << message_of(bytes);
  return bytes ? gpu::spans_of(*bytes) : std::vector<gpu::GpuSpan>();
}

/// Spans that have a length and end one after the other.
void expect_in_order(const std::vector<gpu::GpuSpan>& spans) {
  for (size_t i = 0; i < spans.size(); ++i) {
    EXPECT_LE(spans[i].begin_ns, spans[i].end_ns) << i;
    EXPECT_LE(spans[i > 0 ? i - 1 : 0].end_ns, spans[i].end_ns) << i;
  }
  ASSERT_FALSE(spans.empty());
  EXPECT_LT(spans.front().begin_ns, spans.back().end_ns);
}

TEST(Timing, AProfileHasASpanForEveryCommandAndRunsTheList) {
  const gpu::Tensor x = upload(device(), "x", count_up(32)),
                    y = upload(device(), "y", count_up(32));
  const gpu::Tensor copy = upload(device(), "copy", std::vector<uint32_t>(32));
  const gpu::Recording recording = counting(x, y, copy, 5);
  const auto spans = spans_from(device().profile(recording).value());
  ASSERT_EQ(spans.size(), recording.plan().size());
  ASSERT_EQ(spans.size(), 6u);
  expect_in_order(spans);
  EXPECT_EQ(download(device(), y)[31], 6 * 31u);
  EXPECT_EQ(download(device(), copy)[31], 2 * 31u);
}

TEST(Timing, AProfileMayHaveMoreCommandsThanAQuerySetHolds) {
  constexpr uint32_t kDispatches = gpu::kMostStamps / 2 + 10;
  const gpu::Tensor x = upload(device(), "x", count_up(4)), y = upload(device(), "y", count_up(4));
  const gpu::Tensor copy = upload(device(), "copy", std::vector<uint32_t>(4));
  const auto spans = spans_from(device().profile(counting(x, y, copy, kDispatches)).value());
  ASSERT_EQ(spans.size(), kDispatches + 1);
  expect_in_order(spans);
  EXPECT_EQ(download(device(), y)[3], 3 * (kDispatches + 1));
}

TEST(Timing, ATraceHasASpanForEverySubmitWhileItIsOn) {
  const gpu::Tensor x = upload(device(), "x", count_up(32)),
                    y = upload(device(), "y", count_up(32));
  const gpu::Tensor copy = upload(device(), "copy", std::vector<uint32_t>(32));
  const gpu::Recording recording = counting(x, y, copy, 3);
  device().submit(recording);
  ASSERT_TRUE(device().start_trace());
  for (int i = 0; i < 4; ++i) device().submit(recording);
  gpu::Readback result = device().submit_and_read(recording, y);
  const auto spans = spans_from(device().end_trace());
  EXPECT_EQ(words_of(gpu::wait(device(), std::move(result)).value())[31], (1 + 6 * 3) * 31u);
  ASSERT_EQ(spans.size(), 5u);
  expect_in_order(spans);
  device().submit(recording);  // and none after it
  ASSERT_TRUE(device().start_trace());
  EXPECT_TRUE(spans_from(device().end_trace()).empty());
}

TEST(Timing, ATraceLongerThanAQuerySetKeepsItsBeginning) {
  const gpu::Tensor x = upload(device(), "x", count_up(4)), y = upload(device(), "y", count_up(4));
  const gpu::Tensor copy = upload(device(), "copy", std::vector<uint32_t>(4));
  const gpu::Recording recording = counting(x, y, copy, 1);
  ASSERT_TRUE(device().start_trace());
  for (uint32_t i = 0; i < gpu::kMostStamps / 2 + 3; ++i) device().submit(recording);
  EXPECT_EQ(spans_from(device().end_trace()).size(), gpu::kMostStamps / 2);
  EXPECT_TRUE(gpu::wait(device(), device().settle()));
}

/// An adapter that has no clock to read, nor anything else.
class Clockless final : public gpu::Backend {
 public:
  const AdapterInfo& adapter() const override { return info_; }
  gpu::Id create_buffer(std::string_view, uint64_t, gpu::BufferUse) override { return 1; }
  gpu::Id create_host_buffer(std::string_view, std::span<const std::byte>) override { return 1; }
  void destroy_buffer(gpu::Id) override {}
  void write_buffer(gpu::Id, uint64_t, std::span<const std::byte>) override {}
  gpu::Id create_pipeline(std::string_view, const gpu::Kernel&,
                          std::span<const gpu::Constant>) override {
    return 1;
  }
  gpu::Id create_bind_group(std::string_view, gpu::Id, std::span<const gpu::BufferRange>) override {
    return 1;
  }
  void destroy_bind_group(gpu::Id) override {}
  void submit(std::string_view, std::span<const gpu::Command>, const gpu::Stamping& s) override {
    EXPECT_EQ(s.kind, gpu::Stamping::Kind::none);
  }
  void start_map(gpu::Id, uint64_t) override {}
  bool is_mapped(gpu::Id) override { return true; }
  void finish_map(gpu::Id, std::span<std::byte>) override {}
  std::optional<Error> take_error() override { return std::nullopt; }
  void lose_device() override {}

 private:
  AdapterInfo info_ = {.name = "Clockless"};
};

TEST(Timing, AnAdapterWithoutAClockIsRefusedInOneSentence) {
  gpu::Device clockless(std::make_unique<Clockless>());
  const gpu::Recording nothing = gpu::Encoder(clockless, "nothing").finish().value();
  const std::string sentence =
      "device: adapter 'Clockless' does not have the feature timestamp-query, expected it for "
      "times on the GPU's clock";
  EXPECT_EQ(message_of(clockless.profile(nothing)), sentence);
  EXPECT_EQ(message_of(clockless.start_trace()), sentence);
  clockless.submit(nothing);
}

}  // namespace
}  // namespace handloom::test
