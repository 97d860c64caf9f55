// How long a context an adapter can hold, and what is said when more is asked for.
#include "kv_cache/kv_cache.h"
#include "tests/support/paths.h"

#include <handloom/handloom.h>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace handloom {
namespace {

constexpr kv_cache::KvShape kShape = {
    .n_layers = 2, .n_kv_heads = 4, .head_dim = 32, .dtype = DType::f32};
constexpr uint64_t kPageBytes = 2 * 4 * 16 * 32 * 4;

TEST(Context, IsBoundByOneLayersBinding) {
  const Limits limits = {.max_binding_bytes = 10 * kPageBytes + 1, .max_buffer_bytes = 1 << 30};
  EXPECT_EQ(kv_cache::context_that_fits(limits, kShape, 0), 160u);
}

TEST(Context, IsBoundByMemoryBesideEverythingElse) {
  const Limits limits = {.max_binding_bytes = 1 << 30,
                         .max_buffer_bytes = 1 << 30,
                         .memory_bytes = 1000 + 2 * 3 * kPageBytes};
  EXPECT_EQ(kv_cache::context_that_fits(limits, kShape, 1000), 48u);
  EXPECT_EQ(kv_cache::context_that_fits(limits, kShape, 1001), 32u);
  EXPECT_EQ(kv_cache::context_that_fits(limits, kShape, uint64_t{1} << 40), 0u);
}

// A model made for a huge context, on an adapter that cannot bind that much.
TEST(Context, BeyondMemorySaysWhatFits) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / "handloom_huge_context";
  fs::remove_all(folder);
  fs::copy(golden_dir() + "/llama2", folder);
  const fs::path config = folder / "config.json";
  fs::permissions(config, fs::perms::owner_write, fs::perm_options::add);
  std::stringstream text;
  text << std::ifstream(config).rdbuf();
  std::string json = text.str();
  const std::string old = "\"max_position_embeddings\": 512";
  ASSERT_NE(json.find(old), std::string::npos);
  json.replace(json.find(old), old.size(), "\"max_position_embeddings\": 16000000");
  std::ofstream(config) << json;

  const Result<Engine> engine =
      Engine::load(folder, {.precision = Precision::f32, .context = 16000000});
  fs::remove_all(folder);
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, ErrorCode::out_of_memory);
  const std::string& message = engine.error().message;
  EXPECT_NE(message.find("16000000 tokens"), std::string::npos) << message;
  EXPECT_NE(message.find("tokens fit on this adapter; use --context"), std::string::npos)
      << message;
}

}  // namespace
}  // namespace handloom
