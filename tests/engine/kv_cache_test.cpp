// The KV cache: slabs that come as the context grows and never move, int8 pages, pages on the host.
// Nothing of this may change a result: not where slabs are cut, not where they lie.
#include "engine/engine_impl.h"
#include "gpu/native.h"
#include "kv_cache/kv_cache.h"
#include "tests/engine/support.h"

#include <handloom/handloom.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace handloom {
namespace {

using kv_cache::KvCache;
using kv_cache::KvOptions;
using kv_cache::KvShape;
using test::LongModel;

constexpr KvShape kShape = {.n_layers = 2, .n_kv_heads = 2, .head_dim = 32, .dtype = DType::f16};

gpu::Device& device() {
  static gpu::Device opened = gpu::open_device("").value();
  return opened;
}

void make_room(KvCache& kv, uint32_t first, uint32_t end) {
  const Result<void> made = make_room_and_wait(device(), kv, first, end);
  ASSERT_TRUE(made) << made.error().message;
}

std::vector<uint32_t> slab_ends(const KvCache& kv) {
  std::vector<uint32_t> ends;
  for (const kv_cache::Slab& slab : kv.slabs()) ends.push_back(slab.end);
  return ends;
}

/// Tokens of the first slab, of a sixty-fourth of the device's memory.
uint32_t first_slab() {
  const uint64_t tokens = device().adapter().limits.memory_bytes / 64 / kShape.bytes(1) * 16;
  return static_cast<uint32_t>(std::clamp<uint64_t>((tokens + 255) / 256 * 256, 1024, 8192));
}

TEST(KvCache, DoublesAsTheContextGrowsAndEndsWithIt) {
  const uint32_t n = first_slab(), context = 5 * n - 120, end = 5 * n - 112;
  KvCache kv = KvCache::create(device(), kShape, {.context = context}).value();
  EXPECT_EQ(kv.capacity(), 0u);
  make_room(kv, 0, 1);
  EXPECT_EQ(slab_ends(kv), (std::vector<uint32_t>{n}));
  make_room(kv, n, n + 1);
  EXPECT_EQ(slab_ends(kv), (std::vector<uint32_t>{n, 2 * n}));
  make_room(kv, 2 * n, 2 * n + 1);
  EXPECT_EQ(slab_ends(kv), (std::vector<uint32_t>{n, 2 * n, 4 * n}));
  make_room(kv, 4 * n, context);
  EXPECT_EQ(slab_ends(kv), (std::vector<uint32_t>{n, 2 * n, 4 * n, end}));

  KvCache at_once = KvCache::create(device(), kShape, {.context = context}).value();
  make_room(at_once, 0, 3 * n - 72);
  EXPECT_EQ(slab_ends(at_once), (std::vector<uint32_t>{3 * n}));
}

TEST(KvCache, ItsFirstSlabStaysWithinTheBudget) {
  const KvOptions options = {.context = 8192,
                             .most_bytes = device().memory().kv_cache + kShape.bytes(1000)};
  KvCache kv = KvCache::create(device(), kShape, options).value();
  make_room(kv, 0, 1);
  EXPECT_LE(device().memory().kv_cache, options.most_bytes);
  make_room(kv, 256, 768);
  EXPECT_LE(device().memory().kv_cache, options.most_bytes);
}

TEST(KvCache, NeverMovesWhatItHolds) {
  KvCache kv = KvCache::create(device(), kShape, {.context = 1024, .slab = 256}).value();
  make_room(kv, 0, 1);
  const gpu::Tensor before = kv.slabs()[0].layers[1];
  const uint64_t held = device().memory().kv_cache;
  make_room(kv, 1, 700);
  EXPECT_EQ(kv.slabs()[0].layers[1].buffer, before.buffer);
  EXPECT_EQ(device().memory().kv_cache, held + kShape.bytes(512));
  make_room(kv, 0, 10);  // after a rewind
  EXPECT_EQ(kv.slabs().size(), 3u);
}

TEST(KvCache, TakesInt8PagesOfAboutHalf) {
  for (const uint32_t head_dim : {64, 96, 128, 256}) {
    const KvShape f16 = {.n_layers = 1, .n_kv_heads = 3, .head_dim = head_dim, .dtype = DType::f16};
    KvShape int8 = f16;
    int8.dtype = DType::i8;
    EXPECT_EQ(int8.page_bytes(), 16u * 2 * 3 * (head_dim + 2));
    EXPECT_GT(static_cast<double>(f16.page_bytes()) / int8.page_bytes(), 1.9);
  }
}

TEST(KvCache, BeyondItsBudgetIsOneSentence) {
  const KvOptions options = {.context = 4096,
                             .most_bytes = device().memory().kv_cache + kShape.bytes(1300)};
  KvCache kv = KvCache::create(device(), kShape, options).value();
  make_room(kv, 0, 1024);
  make_room(kv, 1024, 1025);  // does not double: 256 tokens are what is left
  EXPECT_EQ(slab_ends(kv), (std::vector<uint32_t>{1024, 1280}));
  const auto refused = kv.make_room(device(), 1280, 1281);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::out_of_memory);
  EXPECT_NE(refused.error().message.find("use a smaller --context, --kv int8 or --kv-spill host"),
            std::string::npos)
      << refused.error().message;
}

TEST(KvCache, SeesOnlySlabsWithinTheWindow) {
  KvCache kv = KvCache::create(device(), kShape, {.context = 2048, .slab = 256}).value();
  make_room(kv, 0, 1500);
  const auto seen = [&](uint32_t first, uint32_t n_keys, uint32_t window) {
    const auto slabs = kv.slabs_seen(first, n_keys, window);
    return std::pair(slabs.front().first, slabs.back().end);
  };
  using Range = std::pair<uint32_t, uint32_t>;
  EXPECT_EQ(seen(0, 1, 0), Range(0, 256));
  EXPECT_EQ(seen(1400, 1401, 0), Range(0, 1536));
  EXPECT_EQ(seen(1400, 1401, 1), Range(1280, 1536));
  // Any position from 1280 on: the window of 2 reaches one key back.
  EXPECT_EQ(seen(1400, 1401, 2), Range(1024, 1536));
  EXPECT_EQ(seen(1400, 1401, 256), Range(1024, 1536));
  EXPECT_EQ(seen(1400, 1401, 258), Range(768, 1536));
  EXPECT_EQ(seen(250, 520, 4), Range(0, 768));
}

/// What a layer of a slab holds, wherever it lies.
std::vector<std::byte> content(const KvCache& kv, size_t slab, uint32_t il) {
  gpu::Tensor layer = kv.slabs()[slab].layers[il];
  if (kv.slabs()[slab].is_on_host[il]) {
    gpu::Encoder enc(device(), "test");
    const gpu::Tensor staging = kv.staging_for(kv.slabs()[slab]);
    enc.copy(layer, staging);
    device().submit(enc.finish().value());
    layer = staging;
  }
  return gpu::wait(device(), device().read(layer)).value();
}

std::vector<std::byte> fill(const KvCache& kv, size_t slab, uint32_t il, uint8_t salt) {
  const gpu::Tensor& layer = kv.slabs()[slab].layers[il];
  std::vector<std::byte> bytes(layer.bytes());
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 31 + salt);
  device().write(layer, bytes);
  return bytes;
}

TEST(KvCache, SpillsTheOldestSlabsAndBringsThemBack) {
  const uint64_t before = device().memory().kv_cache;
  const KvOptions options = {.context = 2048,
                             .slab = 256,
                             .most_bytes = before + 2 * kShape.bytes(256) + kShape.layer_bytes(256),
                             .spills = true};
  KvCache kv = KvCache::create(device(), kShape, options).value();
  std::vector<std::vector<std::byte>> held;
  for (uint32_t s = 0; s < 5; ++s) {
    make_room(kv, 256 * s, 256 * (s + 1));
    EXPECT_LE(device().memory().kv_cache, options.most_bytes);
    for (uint32_t il = 0; il < 2; ++il) held.push_back(fill(kv, s, il, 10 * s + il));
  }
  for (uint32_t s = 0; s < 5; ++s) {
    EXPECT_EQ(kv.slabs()[s].is_on_device(), s >= 3) << s;
    for (uint32_t il = 0; il < 2; ++il) EXPECT_EQ(content(kv, s, il), held[2 * s + il]) << s;
  }
  EXPECT_EQ(device().memory().kv_host, kShape.bytes(3 * 256));

  // Back to the middle of slab 1: what lies beyond is dropped, what lies before is kept.
  make_room(kv, 300, 301);
  EXPECT_TRUE(kv.slabs()[1].is_on_device());
  EXPECT_FALSE(kv.slabs()[0].is_on_device());
  for (uint32_t il = 0; il < 2; ++il) {
    EXPECT_EQ(content(kv, 0, il), held[il]);
    EXPECT_EQ(content(kv, 1, il), held[2 + il]);
  }
  EXPECT_LE(device().memory().kv_cache, options.most_bytes);
}

/// The logits after each of `ids`, evaluated in batches of at most `rows` from position `first` on.
std::vector<float> logits_of(Engine& engine, KvCache& kv, std::span<const uint32_t> ids,
                             uint32_t first, uint32_t rows) {
  Engine::Impl& e = engine.impl();
  const StepBuffers step =
      StepBuffers::create(e.device, rows, e.info.context, e.config.vocab_size).value();
  std::vector<float> all;
  for (uint32_t at = first, n = 0; at < ids.size(); at += n) {
    n = even_batch(static_cast<uint32_t>(ids.size()) - at, rows);
    EXPECT_TRUE(make_room_and_wait(e.device, kv, at, at + n));
    e.write_tokens(step, ids.subspan(at, n), at);
    const auto recording = e.record_step(step, kv, n, at + n, Engine::Impl::Ending::logits);
    EXPECT_TRUE(recording) << recording.error().message;
    const auto bytes =
        gpu::wait(e.device, e.device.submit_and_read(*recording, step.logits)).value();
    all.resize(all.size() + bytes.size() / sizeof(float));
    std::memcpy(&*all.end() - bytes.size() / sizeof(float), bytes.data(), bytes.size());
  }
  return all;
}

std::vector<uint32_t> some_ids(uint32_t n) {
  std::vector<uint32_t> ids(n);
  for (uint32_t i = 0; i < n; ++i) ids[i] = (i * i * 7 + i * 13 + 5) % 250;
  return ids;
}

/// A budget in which a cache of slabs of 256 tokens must spill.
uint64_t tight_budget(const std::string& folder, LoadOptions options) {
  options.kv_spill = KvSpill::none;
  options.memory_budget = 0;
  const MemoryUse use = Engine::estimate(folder, options).value().use;
  Engine engine = Engine::load(folder, options).value();
  return use.total() - use.kv_cache + KvOptions::least_bytes(engine.impl().kv_shape, 256) + 60'000;
}

std::string by_kind(const MemoryUse& use) {
  return fmt::format("weights {} kv {} activations {} other {}", use.weights, use.kv_cache,
                     use.activations, use.other);
}

class Placement : public testing::TestWithParam<const char*> {};

// Full attention, windows, a window in some layers; every type of page.
TEST_P(Placement, ChangesNoBitOfALogit) {
  constexpr uint32_t kContext = 1700;
  const LongModel model(GetParam(), kContext);
  const std::vector<uint32_t> ids = some_ids(1400);
  for (const KvType type : {KvType::f32, KvType::int8}) {
    LoadOptions options = {.precision = Precision::f32, .kv = type};
    Engine whole = Engine::load(model.folder(), options).value();
    KvCache one_slab = whole.impl().new_cache(kContext).value();
    ASSERT_TRUE(make_room_and_wait(whole.impl().device, one_slab, 0, 1537));
    ASSERT_EQ(one_slab.slabs().size(), 1u);
    const std::vector<float> want = logits_of(whole, one_slab, ids, 0, 256);

    options.kv_slab = 256;
    Engine lazy = Engine::load(model.folder(), options).value();
    KvCache slabs = lazy.impl().new_cache(kContext).value();
    EXPECT_EQ(logits_of(lazy, slabs, ids, 0, 256), want);
    EXPECT_EQ(slabs.slabs().size(), 6u);

    options.kv_spill = KvSpill::host;
    options.memory_budget = tight_budget(model.folder(), options);
    Engine spilling = Engine::load(model.folder(), options).value();
    ASSERT_TRUE(spilling.impl().kv_options.spills);
    KvCache spilled = spilling.impl().new_cache(kContext).value();
    EXPECT_EQ(logits_of(spilling, spilled, ids, 0, 256), want);
    EXPECT_GT(spilling.memory().kv_host, 0u);
    EXPECT_LE(spilling.memory().total(), options.memory_budget) << by_kind(spilling.memory());

    // Step by step over the end of a slab, after a return to before it: the other ids' keys and
    // values must be gone, those before it as they were.
    std::vector<uint32_t> others = some_ids(520);
    for (uint32_t i = 500; i < 520; ++i) others[i] = 3;
    KvCache fresh = whole.impl().new_cache(kContext).value();
    logits_of(whole, fresh, std::span(others).first(500), 0, 256);
    const std::vector<float> want_others = logits_of(whole, fresh, others, 500, 1);
    EXPECT_EQ(logits_of(lazy, slabs, others, 500, 1).size(), want_others.size());
    EXPECT_EQ(logits_of(spilling, spilled, others, 500, 1), logits_of(lazy, slabs, others, 500, 1));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Placement, testing::Values("llama2", "gemma3"),
                         [](const auto& test) { return std::string(test.param); });

TEST(KvSpill, GeneratesTheSameIds) {
  constexpr uint32_t kContext = 1300;
  const LongModel model("llama2", kContext);
  LoadOptions options = {.precision = Precision::f32};
  Engine whole = Engine::load(model.folder(), options).value();
  options.kv_spill = KvSpill::host;
  options.memory_budget = tight_budget(model.folder(), options);
  Engine spilling = Engine::load(model.folder(), options).value();
  Session a = whole.new_session().value(), b = spilling.new_session().value();
  for (const bool on_host : {false, true}) {
    const GenerateOptions generate{.max_tokens = 300, .sample_on_host = on_host};
    a.reset();
    b.reset();
    for (const uint32_t n_prompt : {257, 400}) {  // the second goes on after the first
      const auto prompt = some_ids(n_prompt);
      const Result<Generation> want = a.generate(prompt, generate);
      GenerateOptions many = generate;
      if (!on_host) many.steps_in_flight = 16;
      const Result<Generation> got = b.generate(prompt, many);
      ASSERT_TRUE(want) << want.error().message;
      ASSERT_TRUE(got) << got.error().message;
      EXPECT_EQ(got->ids, want->ids);
    }
    EXPECT_GT(spilling.memory().kv_host, 0u);
    EXPECT_LE(spilling.memory().total(), options.memory_budget) << by_kind(spilling.memory());
  }
}

/// ||got - want|| / ||want|| of every row, sorted.
std::vector<double> row_errors(const HostTensor& got, const HostTensor& want) {
  std::vector<double> errors;
  const size_t dim = want.shape.back();
  for (size_t r = 0; r < want.values.size() / dim; ++r) {
    double error = 0, norm = 0;
    for (size_t i = r * dim; i < (r + 1) * dim; ++i) {
      error += std::pow(double{got.values[i]} - want.values[i], 2);
      norm += std::pow(double{want.values[i]}, 2);
    }
    errors.push_back(std::sqrt(error / norm));
  }
  std::ranges::sort(errors);
  return errors;
}

// The table of docs/numerics.md: what int8 keys and values do to the logits, against f16 ones.
TEST(Int8Kv, ChangesLogitsByLittle) {
  for (const char* name : {"starter", "llama2", "llama3.2", "mistral-swa", "phi3", "phi3-longrope",
                           "qwen2", "qwen3", "qwen3-moe", "gemma2", "gemma3"}) {
    const std::string folder =
        std::string(name) == "starter" ? starter_dir() : golden_dir() + "/" + name;
    LoadOptions options = {.precision = Precision::f32, .kv = KvType::f16};
    Engine f16 = Engine::load(folder, options).value();
    options.kv = KvType::int8;
    Engine int8 = Engine::load(folder, options).value();
    const ModelInfo& m = int8.model();
    EXPECT_EQ(m.kv_dtype, "int8");
    EXPECT_EQ(m.kv_bytes_per_token, uint64_t{2} * m.n_layers * m.n_kv_heads * (m.head_dim + 2));

    const std::vector<uint32_t> ids = some_ids(100);
    const HostTensor want = f16.dump(ids).value().back(), got = int8.dump(ids).value().back();
    ASSERT_EQ(want.name, "logits");
    const std::vector<double> errors = row_errors(got, want);
    const double median = errors[errors.size() / 2], worst = errors.back();
    std::printf("| %s | %.1e | %.1e | %.2f |\n", name, median, worst,
                static_cast<double>(f16.model().kv_bytes_per_token) /
                    static_cast<double>(m.kv_bytes_per_token));
    EXPECT_GT(median, 0) << name;
    EXPECT_LT(median, 3e-2) << name;
    // Where two experts are about as good, a router may take the other one: that is no small
    // change.
    const bool has_experts = std::string(name) == "qwen3-moe";
    if (!has_experts) {
      EXPECT_LT(worst, 5e-2) << name;
    }
  }
}

}  // namespace
}  // namespace handloom
