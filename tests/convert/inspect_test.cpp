// What inspect finds in good files, and what it still finds in bad ones.
#include "tests/convert/support.h"
#include "tests/support/mlc_writer.h"

#include "convert/inspect.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

namespace handloom::convert {
namespace {

namespace fs = std::filesystem;

bool has_op(const Inspection& found, std::string_view op, std::string_view text = "") {
  return std::ranges::any_of(found.flow, [&](const FlowStep& step) {
    return step.op == op && step.text.find(text) != std::string::npos;
  });
}

bool has_problem(const Inspection& found, std::string_view text) {
  return std::ranges::any_of(found.problems, [&](const std::string& problem) {
    return problem.find(text) != std::string::npos;
  });
}

TEST(Inspect, SaysOfEveryModelThatItRuns) {
  const TempFolder folder;
  for (const char* model : kModels) {
    SCOPED_TRACE(model);
    ASSERT_OK(const Inspection hf, inspect(golden(model), 100));
    EXPECT_EQ(hf.problems, std::vector<std::string>());
    EXPECT_EQ(hf.kind, "Hugging Face folder");
    EXPECT_EQ(hf.context, 100u);
    EXPECT_EQ(hf.kv_f32_bytes, 2 * hf.kv_f16_bytes);
    EXPECT_GT(hf.kv_int8_bytes, hf.kv_f16_bytes / 2);
    EXPECT_TRUE(has_op(hf, "attention"));
    EXPECT_FALSE(hf.chat_template.empty());
    EXPECT_EQ(hf.n_pieces, formats::load_config(golden(model))->vocab_size);

    const std::string file = folder / (std::string(model) + ".gguf");
    ASSERT_TRUE(quantise(golden(model), file, to_type("q8_0")).has_value());
    ASSERT_OK(const Inspection gguf, inspect(file, 0));
    EXPECT_EQ(gguf.problems, std::vector<std::string>());
    EXPECT_EQ(gguf.kind, "GGUF file");
    EXPECT_EQ(gguf.architecture, hf.architecture);
    EXPECT_EQ(gguf.types.front().dtype, "q8_0");
    EXPECT_EQ(gguf.flow.size(), hf.flow.size());
    EXPECT_EQ(gguf.chat_template, hf.chat_template);
    EXPECT_EQ(gguf.context, 512u);
  }
}

TEST(Inspect, OutlinesWhatIsParticular) {
  ASSERT_OK(const Inspection gemma2, inspect(golden("gemma2"), 0));
  EXPECT_TRUE(has_op(gemma2, "attention", "the last 16 keys in 1 layers, all keys in 1"));
  EXPECT_TRUE(has_op(gemma2, "attention", "scores capped at 50"));
  EXPECT_TRUE(has_op(gemma2, "geglu"));
  EXPECT_TRUE(has_op(gemma2, "softcap", "30"));
  EXPECT_TRUE(has_op(gemma2, "rms_norm", "post_ffn_norm"));
  ASSERT_OK(const Inspection llama, inspect(golden("llama3.2"), 0));
  EXPECT_TRUE(has_op(llama, "rope", "theta 500000, llama3 scaling by 8 of 64 tokens"));
  EXPECT_TRUE(has_op(llama, "qkv", "attn_k [64, 128] bf16"));
  EXPECT_TRUE(has_op(llama, "logits", "token_embd again"));
  ASSERT_OK(const Inspection moe, inspect(golden("qwen3-moe"), 0));
  EXPECT_TRUE(has_op(moe, "experts", "the best 2 of 8"));
  EXPECT_TRUE(has_op(moe, "gate_up", "gate [96, 128] bf16"));
  ASSERT_OK(const Inspection phi3, inspect(golden("phi3"), 0));
  EXPECT_TRUE(has_op(phi3, "qkv", "attn_qkv [576, 192] bf16"));
}

TEST(Inspect, ReadsMlcFoldersAndLoneFiles) {
  const TempFolder folder;
  fs::create_directory(folder / "mlc");
  test::write_mlc(golden("llama3.2"), folder / "mlc", {});
  ASSERT_OK(const Inspection mlc, inspect(folder / "mlc", 0));
  EXPECT_EQ(mlc.problems, std::vector<std::string>());
  EXPECT_EQ(mlc.kind, "MLC folder");
  EXPECT_EQ(mlc.types.front().dtype, "mlc_q4");

  fs::copy(golden("llama2") + "/model.safetensors", folder / "lone.safetensors");
  ASSERT_OK(const Inspection lone, inspect(folder / "lone.safetensors", 0));
  EXPECT_EQ(lone.kind, "safetensors file");
  EXPECT_EQ(lone.tensors.size(), 21u);
  EXPECT_TRUE(lone.flow.empty());
  EXPECT_TRUE(lone.problems.empty());
}

TEST(Inspect, GoesOnWhereSomethingIsRefused) {
  const TempFolder folder;
  fs::copy(golden("llama2"), folder / "m", fs::copy_options::recursive);
  const std::string config = folder / "m/config.json";
  const std::string text = read_text_file(config).value();

  std::string other = text;
  other.replace(other.find("\"llama\""), 7, "\"mamba\"");
  fs::remove(config);
  folder.write("m/config.json", other);
  ASSERT_OK(const Inspection mamba, inspect(folder / "m", 0));
  EXPECT_EQ(mamba.architecture, "mamba");
  EXPECT_EQ(mamba.tensors.size(), 21u);
  EXPECT_EQ(mamba.n_pieces, 600u);
  EXPECT_TRUE(has_problem(mamba, "'mamba'"));
  EXPECT_TRUE(mamba.flow.empty());

  other = text;
  other.replace(other.find("\"intermediate_size\": 352"), 24, "\"intermediate_size\": 350");
  fs::remove(config);
  folder.write("m/config.json", other);
  fs::remove(folder / "m/tokenizer.json");
  ASSERT_OK(const Inspection misfit, inspect(folder / "m", 0));
  EXPECT_TRUE(has_problem(misfit, "the config says [350, 128]"));
  EXPECT_TRUE(has_problem(misfit, "tokenizer.json"));
  EXPECT_FALSE(misfit.flow.empty());
}

TEST(Inspect, ListsTensorsOfTypesThatAreNotRead) {
  const TempFolder folder;
  ASSERT_TRUE(quantise(golden("llama2"), folder / "m.gguf", to_type("q8_0")).has_value());
  std::string file = read_text_file(folder / "m.gguf").value();
  // Name, rank, two dimensions of 8 bytes, then the type.
  const std::string name = "blk.1.ffn_up.weight";
  const size_t at = file.find(name) + name.size() + 4 + 2 * 8;
  const uint32_t iq2_xxs = 16;
  std::memcpy(file.data() + at, &iq2_xxs, sizeof iq2_xxs);
  folder.write("other.gguf", file);
  ASSERT_OK(const Inspection found, inspect(folder / "other.gguf", 0));
  EXPECT_TRUE(has_problem(found, "blk.1.ffn_up.weight"));
  EXPECT_TRUE(has_problem(found, "IQ2_XXS"));
  EXPECT_EQ(found.tensors.size(), 21u);
  EXPECT_EQ(found.tensors.back().dtype, "IQ2_XXS");
  EXPECT_EQ(found.tensors.back().shape, (std::vector<uint64_t>{352, 128}));
  EXPECT_FALSE(found.flow.empty());
  EXPECT_FALSE(formats::open_model(folder / "other.gguf").has_value());
}

TEST(Inspect, RefusesWhatSaysNothing) {
  const TempFolder folder;
  expect_error(inspect(folder / "none", 0), ErrorCode::not_found, {"none", "expected"});
  folder.write("x.gguf", "not a model");
  expect_error(inspect(folder / "x.gguf", 0), ErrorCode::unsupported, {"x.gguf", "GGUF"});
}

}  // namespace
}  // namespace handloom::convert
