// Whole models with quantised weights against the same dequantised weights in f32: every type, in
// GGUF, MLC and INT8-block files. What differs is the order of sums alone.
#include "tests/support/grouped_writer.h"
#include "tests/support/mlc_writer.h"
#include "tests/support/paths.h"
#include "tests/support/quantised_model.h"

#include <handloom/handloom.h>

#include <cctype>
#include <map>
#include <numeric>

#include <unistd.h>

namespace handloom {
namespace {

using test::write_quantised;

/// A folder of its own, removed with everything in it.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "handloom_engine_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "cannot make " << name;
    path_ = name;
  }
  Folder(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::map<std::string, HostTensor> dump(const std::string& path, Precision precision) {
  auto engine = Engine::load(path, {.precision = precision, .context = 64});
  EXPECT_TRUE(engine) << engine.error().message;
  if (!engine) return {};
  std::vector<uint32_t> ids(20);
  for (uint32_t i = 0; i < ids.size(); ++i) ids[i] = (i * 37 + 5) % engine->model().vocab_size;
  auto stages = engine->dump(ids);
  EXPECT_TRUE(stages) << stages.error().message;
  std::map<std::string, HostTensor> by_name;
  for (HostTensor& stage : *stages) by_name.emplace(stage.name, std::move(stage));
  return by_name;
}

/// The largest over the rows of ||got - want|| / ||want||, as handloom verify has it.
double row_error(const HostTensor& got, const HostTensor& want) {
  const size_t dim = want.shape.back();
  double worst = 0;
  for (size_t row = 0; row < want.values.size() / dim; ++row) {
    double difference = 0, size = 0;
    for (size_t i = row * dim; i < (row + 1) * dim; ++i) {
      difference += std::pow(double{got.values[i]} - want.values[i], 2);
      size += std::pow(double{want.values[i]}, 2);
    }
    worst = std::max(worst, std::sqrt(difference / size));
  }
  return worst;
}

/// Both tolerances are those of handloom verify; quantised weights are read exactly in either.
void expect_same(const std::string& quantised, const std::string& plain) {
  const auto want = dump(plain, Precision::f32);
  ASSERT_TRUE(want.contains("logits"));
  for (const auto& [precision, tolerance] :
       {std::pair(Precision::f32, 1e-4), std::pair(Precision::f16, 1e-2)}) {
    const auto got = dump(quantised, precision);
    ASSERT_EQ(got.size(), want.size());
    double worst = 0;
    for (const auto& [name, stage] : want) {
      ASSERT_TRUE(got.contains(name)) << name;
      ASSERT_EQ(got.at(name).shape, stage.shape) << name;
      const double error = row_error(got.at(name), stage);
      EXPECT_LE(error, tolerance) << name;  // false for a NaN, too
      worst = std::max(worst, error);
    }
    std::printf("worst relative error %.2e (%s)\n", worst,
                precision == Precision::f32 ? "f32" : "f16");
  }
}

struct Case {
  std::string model;
  DType dtype;
};

class GgufModel : public testing::TestWithParam<Case> {};

TEST_P(GgufModel, ComputesAsItsDequantisedWeights) {
  const Folder folder;
  const auto& [model, dtype] = GetParam();
  const std::string source = model == "starter" ? starter_dir() : golden_dir() + "/" + model;
  write_quantised(source, folder / "model", dtype);
  expect_same(folder / "model.gguf", folder / "model");
}

std::vector<Case> gguf_cases() {
  std::vector<Case> cases;
  for (const char* model : {"llama2", "phi3"}) {
    for (const DType dtype : {DType::f16, DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1,
                              DType::q8_0, DType::iq4_nl, DType::mxfp4}) {
      cases.push_back({model, dtype});
    }
  }
  // The tiny models' rows are too short for a block of 256; the starter's are not.
  for (const DType dtype : {DType::q2_k, DType::q3_k, DType::q4_k, DType::q5_k, DType::q6_k}) {
    cases.push_back({"starter", dtype});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Types, GgufModel, testing::ValuesIn(gguf_cases()), [](const auto& test) {
  return test.param.model + "_" + std::string(to_string(test.param.dtype));
});

/// The values that the model at `quantised` stands for, as a folder of f32 with the other files of
/// `source`, whose tensor names it has.
void write_dequantised(const std::string& quantised, const std::string& source,
                       const std::string& to) {
  using namespace formats;
  const auto model = open_model(quantised);
  ASSERT_TRUE(model) << model.error().message;
  std::vector<std::vector<float>> values;
  std::vector<TensorInfo> plain;
  values.reserve(model->checkpoint.tensors().size());
  const auto add = [&](const std::string& ours) {
    const TensorInfo* t = nullptr;
    for (const std::string& name : names_in_file(model->naming, ours)) {
      if (t == nullptr) t = model->checkpoint.find(name);
    }
    if (t == nullptr) return;
    values.push_back(to_f32(*t).value());
    plain.push_back({.name = names_in_file(Naming::hugging_face, ours).back(),
                     .shape = t->shape,
                     .bytes = std::as_bytes(std::span(values.back()))});
  };
  for (const char* name : {"token_embd", "output_norm", "output"}) {
    add(fmt::format("{}.weight", name));
  }
  for (uint32_t il = 0; il < model->config.n_layers; ++il) {
    for (const char* name : {"attn_norm", "attn_qkv", "attn_q", "attn_k", "attn_v", "attn_output",
                             "ffn_norm", "ffn_gate_up", "ffn_gate", "ffn_up", "ffn_down"}) {
      add(fmt::format("blk.{}.{}.weight", il, name));
    }
  }
  std::filesystem::create_directories(to);
  for (const char* file : {"config.json", "tokenizer.json"}) {
    std::filesystem::copy_file(source + "/" + file, to + "/" + file);
  }
  const auto saved = write_safetensors(to + "/model.safetensors", plain);
  ASSERT_TRUE(saved) << saved.error().message;
}

class MlcModel : public testing::TestWithParam<std::pair<const char*, bool>> {};

TEST_P(MlcModel, ComputesAsItsDequantisedWeights) {
  const Folder folder;
  const auto& [quantization, phi3_names] = GetParam();
  const std::string source = golden_dir() + "/phi3";
  test::write_mlc(source, folder / "mlc", {.quantization = quantization, .phi3_names = phi3_names});
  write_dequantised(folder / "mlc", source, folder / "plain");
  expect_same(folder / "mlc", folder / "plain");
}

INSTANTIATE_TEST_SUITE_P(Quantizations, MlcModel,
                         testing::Values(std::pair("q0f16", true), std::pair("q0f16", false),
                                         std::pair("q4f16_1", true), std::pair("q4f16_1", false),
                                         std::pair("q4f32_1", false), std::pair("q3f16_1", false)),
                         [](const auto& test) {
                           return std::string(test.param.first) +
                                  (test.param.second ? "_phi3_names" : "");
                         });

TEST(GroupedModel, ComputesAsItsDequantisedWeights) {
  const std::string source = golden_dir() + "/llama2";
  for (const uint32_t group : {32u, 64u}) {
    const Folder folder;
    test::write_int8_block(source, folder / "int8", group);
    write_dequantised(folder / "int8", source, folder / "plain_int8");
    expect_same(folder / "int8", folder / "plain_int8");
    test::write_mlx(source, folder / "mlx", group);
    write_dequantised(folder / "mlx", source, folder / "plain_mlx");
    expect_same(folder / "mlx", folder / "plain_mlx");
  }
}

class MlcFolder : public testing::TestWithParam<const char*> {};

/// q0f16 rounds weights that are bf16 to f16: exact for the golden ones, but for Gemma's norms, to
/// which MLC adds 1 first. Those get the tolerance of f16.
TEST_P(MlcFolder, MatchesTheReferenceOfTheFolderItWasMadeFrom) {
  const Folder folder;
  const std::string source = golden_dir() + "/" + GetParam();
  test::write_mlc(source, folder / "mlc", {.quantization = "q0f16"});
  const bool is_gemma = std::string_view(GetParam()).starts_with("gemma");
  const auto passed = verify_folder(
      source, {.precision = is_gemma ? Precision::f16 : Precision::f32},
      [](const StageReport& stage) { EXPECT_TRUE(stage.passed) << stage.name; }, folder / "mlc");
  ASSERT_TRUE(passed) << passed.error().message;
  EXPECT_TRUE(*passed);
}

INSTANTIATE_TEST_SUITE_P(Families, MlcFolder,
                         testing::Values("llama2", "llama3.2", "phi3", "qwen2", "qwen3",
                                         "qwen3-moe", "gemma2", "gemma3", "mistral-swa"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::ranges::replace_if(
                               name, [](char c) { return !std::isalnum(c); }, '_');
                           return name;
                         });

std::vector<uint32_t> greedy_ids(const std::string& path, std::string_view prompt) {
  auto engine = Engine::load(path, {.precision = Precision::f16});
  EXPECT_TRUE(engine) << engine.error().message;
  if (!engine) return {};
  auto session = engine->new_session();
  const auto ids = engine->tokenizer().encode(prompt, true);
  EXPECT_TRUE(session && ids);
  const auto generation = session->generate(*ids, {.max_tokens = 60});
  EXPECT_TRUE(generation) << generation.error().message;
  return generation ? generation->ids : std::vector<uint32_t>();
}

/// The starter's weights are bf16 that f16 holds exactly, so that not even a near-tie may turn.
TEST(Starter, SaysTheSameFromSafetensorsGgufAndMlc) {
  const Folder folder;
  write_quantised(starter_dir(), folder / "starter", DType::f16);
  test::write_mlc(starter_dir(), folder / "mlc", {.quantization = "q0f16"});
  for (const std::string_view prompt :
       {"Once upon a time",
        "<|im_start|>user\nTell me a story about a red boat.<|im_end|>\n"
        "<|im_start|>assistant\n"}) {
    const std::vector<uint32_t> want = greedy_ids(starter_dir(), prompt);
    EXPECT_GT(want.size(), 20u);
    EXPECT_EQ(greedy_ids(folder / "starter.gguf", prompt), want);
    EXPECT_EQ(greedy_ids(folder / "mlc", prompt), want);
  }
}

}  // namespace
}  // namespace handloom
