// Device: memory, readbacks, limits and accounting; and the list of adapters.
#include "tests/gpu/support.h"

#include <gmock/gmock.h>

namespace handloom::test {
namespace {

using testing::HasSubstr;

TEST(Device, ReadsBackWhatWasWritten) {
  const std::vector<uint32_t> words = count_up(1000, 7);
  EXPECT_EQ(download(device(), upload(device(), "words", words)), words);
}

TEST(Device, WritesInTheMiddleAndReadsRows) {
  gpu::Tensor tensor = upload(device(), "words", count_up(12));
  const std::vector<uint32_t> middle = {90, 91};
  device().write(tensor, std::as_bytes(std::span(middle)), 4 * 4);
  EXPECT_EQ(download(device(), tensor),
            (std::vector<uint32_t>{0, 1, 2, 3, 90, 91, 6, 7, 8, 9, 10, 11}));
  tensor.shape = {3, 4};
  EXPECT_EQ(download(device(), tensor.row(1)), (std::vector<uint32_t>{90, 91, 6, 7}));
  EXPECT_EQ(download(device(), tensor.first_rows(1)), (std::vector<uint32_t>{0, 1, 2, 3}));
  EXPECT_EQ(tensor.row(1).shape, Shape({1, 4}));
}

TEST(Device, AReadbackHoldsTheContentOfItsMomentHoweverLateItIsTaken) {
  const gpu::Tensor tensor = upload(device(), "words", count_up(8));
  gpu::Readback before = device().read(tensor);
  write_words(device(), tensor, count_up(8, 50));
  gpu::Readback after = device().read(tensor);
  EXPECT_TRUE(before.pending());
  EXPECT_EQ(words_of(gpu::wait(device(), std::move(after)).value()), count_up(8, 50));
  EXPECT_EQ(words_of(gpu::wait(device(), std::move(before)).value()), count_up(8));
}

TEST(Device, ATensorLargerThanABindingIsRefused) {
  const Limits& limits = device().adapter().limits;
  const uint64_t most = std::min(limits.max_binding_bytes, limits.max_buffer_bytes);
  const uint32_t rows = static_cast<uint32_t>(most / 4096 + 1);
  const auto refused =
      device().create_tensor("token_embd", DType::f32, {rows, 1024}, gpu::MemoryKind::weights);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::out_of_memory);
  EXPECT_EQ(refused.error().message,
            fmt::format("device: 'token_embd' needs a storage binding of {} bytes, adapter '{}' "
                        "allows {}",
                        uint64_t{rows} * 4096, device().adapter().name, most));
  EXPECT_TRUE(gpu::wait(device(), device().settle()));
}

TEST(Device, CountsMemoryByKindAndForgetsWhatIsFreed) {
  gpu::Device own = gpu::open_device("").value();
  {
    const auto weights = upload(own, "w", count_up(100), gpu::MemoryKind::weights);
    const auto pages = upload(own, "kv", count_up(200), gpu::MemoryKind::kv_cache);
    const auto scratch = upload(own, "a", count_up(300), gpu::MemoryKind::activations);
    const auto other = upload(own, "o", count_up(400), gpu::MemoryKind::other);
    const gpu::Tensor copy = weights;
    EXPECT_EQ(own.memory().weights, 400u);
    EXPECT_EQ(own.memory().kv_cache, 800u);
    EXPECT_EQ(own.memory().activations, 1200u);
    EXPECT_EQ(own.memory().other, 1600u);
    gpu::Encoder encoder(own, "scale");
    encoder.dispatch(scale(pages, scratch, 1));
    const gpu::Recording recording = encoder.finish().value();
    EXPECT_EQ(own.memory().other, 1600u + 256u) << "the params";
  }
  EXPECT_EQ(own.memory().total(), 0u);
}

TEST(Device, KeepsSmallReadbackBuffersForTheNextReadAndFreesLargeOnes) {
  gpu::Device own = gpu::open_device("").value();
  const auto small = upload(own, "small", count_up(100), gpu::MemoryKind::weights);
  download(own, small);
  const uint64_t pooled = own.memory().other;
  EXPECT_EQ(pooled, 400u);
  for (int i = 0; i < 5; ++i) download(own, small);
  EXPECT_EQ(own.memory().other, pooled);
  download(own, upload(own, "large", count_up(1 << 19), gpu::MemoryKind::weights));
  EXPECT_EQ(own.memory().other, pooled);
}

TEST(Device, ASmallReadKeepsNoLargerReadbackBuffer) {
  gpu::Device own = gpu::open_device("").value();
  const auto layer = upload(own, "layer", count_up(1000), gpu::MemoryKind::weights);
  const auto token = upload(own, "token", count_up(1), gpu::MemoryKind::weights);
  download(own, layer);
  const gpu::Readback pending = own.read(token);
  EXPECT_EQ(own.memory().other, 4000u + 4u);
  download(own, layer);
  EXPECT_EQ(own.memory().other, 4000u + 4u);
}

TEST(Device, AReadbackThatNobodyTakesGivesItsBufferBack) {
  gpu::Device own = gpu::open_device("").value();
  const auto tensor = upload(own, "words", count_up(1 << 19), gpu::MemoryKind::weights);
  for (int i = 0; i < 3; ++i) (void)own.read(tensor);
  EXPECT_TRUE(gpu::wait(own, own.settle()));
  EXPECT_EQ(own.memory().other, 0u);
  EXPECT_EQ(download(own, tensor), count_up(1 << 19));
}

TEST(Device, MayEndBeforeItsTensorsAndReadbacks) {
  gpu::Tensor tensor;
  gpu::Readback readback;
  {
    gpu::Device own = gpu::open_device("").value();
    tensor = upload(own, "words", count_up(1000));
    readback = own.read(tensor);
  }
  EXPECT_TRUE(readback.pending());
}

TEST(Adapters, AreListedWithNamesAndLimits) {
  const auto adapters = gpu::list_adapters();
  ASSERT_TRUE(adapters) << adapters.error().message;
  ASSERT_FALSE(adapters->empty());
  for (uint32_t i = 0; i < adapters->size(); ++i) {
    const AdapterInfo& a = adapters->at(i);
    EXPECT_EQ(a.index, i);
    EXPECT_FALSE(a.name.empty());
    EXPECT_FALSE(a.backend.empty());
    EXPECT_NE(a.backend, "Null");
    EXPECT_GE(a.limits.max_binding_bytes, uint64_t{128} << 20);  // WebGPU's least
    EXPECT_GE(a.limits.max_bindings, 8u);
    EXPECT_GE(a.limits.max_workgroups, 65535u);
    EXPECT_GE(a.features.max_subgroup_size, a.features.min_subgroup_size);
    EXPECT_EQ(a.features.min_subgroup_size > 0, a.features.subgroups);
  }
  EXPECT_EQ(device().adapter().name, adapters->front().name);
}

TEST(Adapters, AreChosenByIndexOrByPartOfTheNameInAnyCase) {
  const std::string name = device().adapter().name;
  std::string part = name.substr(0, 6);
  for (char& c : part) c = static_cast<char>(std::toupper(c));
  for (const std::string& choice : {std::string("0"), name, part}) {
    const auto opened = gpu::open_device(choice);
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(opened->adapter().name, name);
  }
}

TEST(Adapters, AnUnknownOneIsAnsweredWithThoseThatAreHere) {
  for (const std::string choice : {"voodoo", "99"}) {
    const auto opened = gpu::open_device(choice);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::not_found);
    EXPECT_THAT(opened.error().message,
                HasSubstr(fmt::format("adapter '{}' is not here, expected one of 0: {}", choice,
                                      device().adapter().name)));
  }
}

}  // namespace
}  // namespace handloom::test
