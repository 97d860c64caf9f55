// Models to other files and back: the same config, values within the type, text in and out.
#include "tests/convert/support.h"
#include "tests/support/mlc_writer.h"

#include "base/half.h"
#include "convert/config_json.h"
#include "convert/recipe.h"
#include "convert/vocabulary.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "tokenizer/tokenizer.h"

#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>

#include <sys/resource.h>
#include <sys/stat.h>

namespace handloom::convert {
namespace {

namespace fs = std::filesystem;
using formats::Config;
using formats::ModelFiles;
using formats::open_model;
using formats::RopeScaling;

/// What a GGUF file of this model says.
Config in_gguf(const ModelFiles& files, const Config& reopened) {
  Config config = files.config;
  const auto made = vocabulary_of(files.tokenizer, config.vocab_size);
  if (made) config = with_special_ids(files, made->vocabulary);
  config.permuted_qk = config.architecture == "llama" || config.architecture == "mistral";
  config.norms_include_one = config.gemma_norms;
  if (config.rope.scaling != RopeScaling::llama3) return config;
  const std::vector<float> want = config.rope.inv_freq(), got = reopened.rope.inv_freq();
  EXPECT_EQ(want.size(), got.size());
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], want[i] * 0x1p-22);
  config.rope = reopened.rope;
  return config;
}

void expect_same_text(const formats::TokenizerFiles& want, const formats::TokenizerFiles& got) {
  ASSERT_OK(const auto original, tokenizer::Tokenizer::load(want.json_path));
  auto again = got.json_path.empty()
                   ? tokenizer::Tokenizer::from_vocabulary(got.vocabulary, "again")
                   : tokenizer::Tokenizer::load(got.json_path);
  ASSERT_TRUE(again.has_value()) << again.error().message;
  for (const char* text : {"", "Hello, world", "  two  spaces ", "naïve 東京 \n\n 12345", "<s>"}) {
    for (const bool specials : {false, true}) {
      EXPECT_EQ(again->encode(text, {.add_specials = specials}).value(),
                original.encode(text, {.add_specials = specials}).value())
          << text;
    }
  }
  EXPECT_EQ(got.texts.chat_template, want.texts.chat_template);
}

/// `allowed(want, largest of the group)` is the difference that the type may make; norms of files
/// that keep them in f16 may differ by `norm_slack` more.
template <class Allowed>
void expect_near(const ModelFiles& want, const ModelFiles& got, uint32_t group,
                 const Allowed& allowed, float norm_slack = 0) {
  const auto expected = ValueReader(want).all(), found = ValueReader(got).all();
  ASSERT_EQ(expected.size(), found.size());
  for (size_t t = 0; t < expected.size(); ++t) {
    const auto& a = expected[t].values;
    const auto& b = found[t].values;
    ASSERT_EQ(expected[t].name, found[t].name);
    ASSERT_EQ(a.size(), b.size()) << expected[t].name;
    const bool is_norm = expected[t].name.find("norm") != std::string::npos;
    const float slack = is_norm ? norm_slack : 0.0f;
    for (size_t first = 0; first < a.size(); first += group) {
      float most = 0;
      const size_t end = std::min(a.size(), first + group);
      for (size_t i = first; i < end; ++i) most = std::max(most, std::abs(a[i]));
      for (size_t i = first; i < end; ++i) {
        ASSERT_LE(std::abs(a[i] - b[i]), allowed(a[i], most) + slack)
            << expected[t].name << " " << i;
      }
    }
  }
}

/// Half a step of f16; a norm of Gemma's that got its 1 and lost it again was rounded as f32.
float f16_error(float value, float) {
  return std::abs(f16_to_f32(f32_to_f16(value)) - value) + 0x1p-23f;
}

TEST(Quantise, ToF16KeepsEveryModel) {
  const TempFolder folder;
  for (const char* model : kModels) {
    SCOPED_TRACE(model);
    const std::string out = folder / (std::string(model) + ".gguf");
    ASSERT_OK(const QuantiseReport report, quantise(golden(model), out, to_type("f16")));
    ASSERT_OK(const ModelFiles want, open_model(golden(model)));
    ASSERT_OK(const ModelFiles got, open_model(out));
    EXPECT_EQ(got.config, in_gguf(want, got.config));
    expect_near(want, got, 32, f16_error);
    expect_same_text(want.tokenizer, got.tokenizer);
    EXPECT_EQ(got.tokenizer.texts.eos_token, want.tokenizer.texts.eos_token);
    EXPECT_GE(report.n_weights, want.config.weight_count());
    EXPECT_FALSE(file_exists(out + ".partial"));
  }
}

TEST(Quantise, NamesTensorsAndKeysAsGgufDoes) {
  const TempFolder folder;
  const auto gguf_of = [&](const char* model) {
    const std::string out = folder / (std::string(model) + ".gguf");
    EXPECT_TRUE(quantise(golden(model), out, to_type("q4_k_m")).has_value());
    return formats::Gguf::open(out).value();
  };
  const auto phi3 = gguf_of("phi3-longrope");
  for (const char* name : {"blk.0.attn_qkv.weight", "blk.1.ffn_up.weight", "output.weight",
                           "rope_factors_long.weight", "rope_factors_short.weight"}) {
    EXPECT_NE(phi3.checkpoint().find(name), nullptr) << name;
  }
  EXPECT_EQ(phi3.metadata().get_u32("general.file_type"), 15u);
  EXPECT_EQ(phi3.metadata().get_string("general.name"), "phi3-longrope");
  EXPECT_EQ(phi3.metadata().get_string("tokenizer.ggml.model"), "llama");
  EXPECT_TRUE(phi3.metadata().has("tokenizer.huggingface.json"));
  EXPECT_TRUE(phi3.metadata().has("tokenizer.chat_template"));

  const auto llama = gguf_of("llama3.2");
  EXPECT_EQ(llama.checkpoint().find("output.weight"), nullptr);  // tied
  EXPECT_NE(llama.checkpoint().find("rope_freqs.weight"), nullptr);
  EXPECT_EQ(llama.metadata().get_string("tokenizer.ggml.pre"), "llama-bpe");
  EXPECT_EQ(llama.checkpoint().find("blk.0.attn_norm.weight")->dtype, DType::f32);

  const auto moe = gguf_of("qwen3-moe");
  EXPECT_EQ(moe.checkpoint().find("blk.0.ffn_gate_exps.weight")->shape, (Shape{8, 96, 128}));
  EXPECT_EQ(moe.checkpoint().find("blk.0.ffn_gate_inp.weight")->dtype, DType::f32);
}

TEST(Quantise, RowsThatFillNoBlockFallBackAndAreNamed) {
  const TempFolder folder;
  // Rows of 128 and 352 are no multiple of 256.
  ASSERT_OK(const QuantiseReport report,
            quantise(golden("llama2"), folder / "a.gguf", to_type("q4_k_m")));
  ASSERT_EQ(report.types.size(), 2u);
  EXPECT_EQ(report.types[0].dtype, "f32");
  EXPECT_EQ(report.types[1].dtype, "q8_0");
  ASSERT_FALSE(report.notes.empty());
  EXPECT_NE(report.notes[0].find("128"), std::string::npos) << report.notes[0];
}

TEST(Quantise, ToQ8KeepsValuesWithinHalfAStep) {
  const TempFolder folder;
  for (const char* model : kModels) {
    SCOPED_TRACE(model);
    const std::string out = folder / (std::string(model) + ".gguf");
    ASSERT_OK(const QuantiseReport report, quantise(golden(model), out, to_type("q8_0")));
    ASSERT_OK(const ModelFiles want, open_model(golden(model)));
    ASSERT_OK(const ModelFiles got, open_model(out));
    // The step is max / 127, rounded to f16: by 2^-11 of it, or below f16's normal range by 2^-25.
    expect_near(want, got, 32, [](float, float most) {
      return most / 254 * (1 + 0x1p-9f) + 127 * 0x1p-25f + 0x1p-23f;
    });
  }
}

TEST(Quantise, AGgufFileCopiesItsOwnType) {
  const TempFolder folder;
  fs::create_directory(folder / "other");
  for (const char* type : {"f16", "q4_0"}) {
    const std::string first = folder / "m.gguf", second = folder / "other/m.gguf";
    ASSERT_TRUE(quantise(golden("llama3.2"), first, to_type(type)).has_value());
    ASSERT_TRUE(quantise(first, second, to_type(type)).has_value());
    EXPECT_TRUE(read_text_file(first).value() == read_text_file(second).value());
    fs::remove(first);
    fs::remove(second);
  }
}

TEST(Quantise, ReadsMlcFolders) {
  const TempFolder folder;
  for (const char* model : {"llama3.2", "phi3", "qwen2", "qwen3-moe", "gemma2", "gemma3"}) {
    SCOPED_TRACE(model);
    const std::string mlc = folder / model, out = folder / (std::string(model) + ".gguf");
    fs::create_directory(mlc);
    test::write_mlc(golden(model), mlc, {.quantization = "q0f16"});
    ASSERT_OK(const QuantiseReport report, quantise(mlc, out, to_type("f16")));
    ASSERT_OK(const ModelFiles want, open_model(golden(model)));
    ASSERT_OK(const ModelFiles got, open_model(out));
    // MLC stores 1 + weight of Gemma's norms in f16: half a step between 1 and 2.
    expect_near(want, got, 32, f16_error, want.config.gemma_norms ? 0x1p-11f : 0.0f);
    EXPECT_GT(report.bytes, 0u);
  }
}

// int8-block

TEST(Quantise, Int8FoldersKeepValuesWithinHalfAStep) {
  const TempFolder folder;
  for (const char* model : kModels) {
    SCOPED_TRACE(model);
    QuantiseOptions options = to_type("int8-block");
    options.block = 32;
    ASSERT_OK(const QuantiseReport report, quantise(golden(model), folder / model, options));
    ASSERT_OK(const ModelFiles want, open_model(golden(model)));
    ASSERT_OK(const ModelFiles got, open_model(folder / model));
    EXPECT_EQ(got.config, want.config);
    expect_near(want, got, 32,
                [](float, float most) { return most / 254 * (1 + 0x1p-20f) + 0x1p-23f; });
    expect_same_text(want.tokenizer, got.tokenizer);
    const auto* embedding = got.checkpoint.find("model.embed_tokens.weight");
    ASSERT_NE(embedding, nullptr);
    EXPECT_EQ(embedding->dtype, DType::int8_block);
    EXPECT_EQ(embedding->group, 32u);
    EXPECT_FALSE(file_exists(folder / model + ".partial"));
  }
}

TEST(Quantise, Int8BlocksShrinkWhereRowsAreShort) {
  const TempFolder folder;
  QuantiseOptions options = to_type("int8-block");
  options.block = 128;
  ASSERT_OK(const QuantiseReport report, quantise(golden("llama2"), folder / "m", options));
  ASSERT_OK(const ModelFiles got, open_model(folder / "m"));
  EXPECT_EQ(got.checkpoint.find("model.embed_tokens.weight")->group, 128u);
  // 352 = 11 * 32
  EXPECT_EQ(got.checkpoint.find("model.layers.0.mlp.down_proj.weight")->group, 32u);
  EXPECT_EQ(report.types.size(), 2u);
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_NE(report.notes[0].find("352"), std::string::npos) << report.notes[0];
}

TEST(Quantise, Int8FoldersComeFromGguf) {
  const TempFolder folder;
  for (const char* model : {"llama2", "mistral-swa", "phi3-longrope", "qwen3-moe", "gemma3"}) {
    SCOPED_TRACE(model);
    const std::string gguf = folder / (std::string(model) + ".gguf");
    ASSERT_TRUE(quantise(golden(model), gguf, to_type("f16")).has_value());
    ASSERT_OK(const QuantiseReport report, quantise(gguf, folder / model, to_type("int8-block")));
    ASSERT_OK(const ModelFiles want, open_model(golden(model)));
    ASSERT_OK(const ModelFiles got, open_model(folder / model));
    Config expected = in_gguf(want, got.config);
    expected.permuted_qk = expected.norms_include_one = false;
    EXPECT_EQ(got.config, expected);
    expect_near(want, got, 128, [](float value, float most) {
      return most / 254 * (1 + 0x1p-9f) + f16_error(value, most) + 0x1p-20f;
    });
    expect_same_text(want.tokenizer, got.tokenizer);
  }
  ASSERT_TRUE(quantise(golden("llama3.2"), folder / "l.gguf", to_type("f16")).has_value());
  expect_error(quantise(folder / "l.gguf", folder / "l", to_type("int8-block")),
               ErrorCode::unsupported, {"rope_freqs.weight"});
  EXPECT_FALSE(file_exists(folder / "l"));
}

TEST(ConfigJson, IsReadBackForEveryModel) {
  for (const char* model : kModels) {
    SCOPED_TRACE(model);
    ASSERT_OK(const Config config, formats::load_config(golden(model)));
    ASSERT_OK(const std::string json, config_to_json(config));
    ASSERT_OK(const Config again, formats::parse_config(json, "config.json"));
    EXPECT_EQ(again, config) << json;
  }
}

// Types

DType type_of(Recipe recipe, MatrixPlace place) {
  if (place.in_dim == 0) place.in_dim = 2048;
  return choose_type(recipe, 64, place).dtype;
}

TEST(Recipe, MixesQ4KMAsLlamaCppDoes) {
  std::string mixture;  // of attn_v over 32 layers
  for (uint32_t il = 0; il < 32; ++il) {
    const DType dtype = type_of(Recipe::q4_k_m, {.kind = "attn_v", .layer = il, .n_layers = 32});
    mixture += dtype == DType::q6_k ? '6' : '4';
    EXPECT_EQ(type_of(Recipe::q4_k_m, {.kind = "ffn_down", .layer = il, .n_layers = 32}), dtype);
    EXPECT_EQ(type_of(Recipe::q4_k_m, {.kind = "attn_q", .layer = il, .n_layers = 32}),
              DType::q4_k);
  }
  EXPECT_EQ(mixture, "66664464464464464464464464466666");
  EXPECT_EQ(type_of(Recipe::q4_k_m, {.kind = "output"}), DType::q6_k);
  EXPECT_EQ(type_of(Recipe::q4_k_m, {.kind = "token_embd"}), DType::q4_k);
  EXPECT_EQ(type_of(Recipe::q4_k_m, {.kind = "token_embd", .tied = true}), DType::q6_k);
  EXPECT_EQ(type_of(Recipe::q4_0, {.kind = "output"}), DType::q6_k);
  EXPECT_EQ(type_of(Recipe::q4_0, {.kind = "output", .in_dim = 96}), DType::q8_0);
  EXPECT_EQ(type_of(Recipe::q4_0, {.kind = "ffn_down"}), DType::q4_0);
  EXPECT_EQ(type_of(Recipe::q8_0, {.kind = "output"}), DType::q8_0);
  EXPECT_EQ(type_of(Recipe::q8_0, {.kind = "attn_q", .in_dim = 40}), DType::f16);
}

TEST(Recipe, RefusesOtherTypesByName) {
  expect_error(find_recipe("q3_k_m"), ErrorCode::invalid_argument, {"'q3_k_m'", "q4_k_m", "f16"});
}

// What must not be written

TEST(Quantise, OverwritesOnlyWhenTold) {
  const TempFolder folder;
  folder.write("there.gguf", "mine");
  const std::string out = folder / "there.gguf";
  QuantiseOptions options = to_type("q8_0");
  expect_error(quantise(golden("llama2"), out, options), ErrorCode::invalid_argument,
               {"there.gguf", "exists", "--force"});
  EXPECT_EQ(read_text_file(out).value(), "mine");
  options.overwrite = true;
  EXPECT_TRUE(quantise(golden("llama2"), out, options).has_value());
  EXPECT_TRUE(open_model(out).has_value());
  expect_error(quantise(out, out, options), ErrorCode::invalid_argument, {"is the model"});

  // A pipe of our own and no device: if this fails, what is there has been replaced.
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  expect_error(quantise(golden("llama2"), folder / "pipe", options), ErrorCode::invalid_argument,
               {"pipe", "is a device"});

  fs::create_directory(folder / "d");
  expect_error(quantise(golden("llama2"), folder / "d", options), ErrorCode::invalid_argument,
               {"is a folder"});
  options.type = "int8-block";
  expect_error(quantise(golden("llama2"), out, options), ErrorCode::invalid_argument,
               {"is a file"});
  EXPECT_TRUE(quantise(golden("llama2"), folder / "d", options).has_value());
  options.overwrite = false;
  expect_error(quantise(golden("llama2"), folder / "d", options), ErrorCode::invalid_argument,
               {"exists"});
  options.overwrite = true;
  EXPECT_TRUE(quantise(golden("llama2"), folder / "d", options).has_value());
  EXPECT_TRUE(open_model(folder / "d").has_value());
}

TEST(Quantise, NamesWhatIsMissing) {
  const TempFolder folder;
  const std::string out = folder / "a.gguf";
  expect_error(quantise(folder / "nothing.gguf", out, to_type("f16")), ErrorCode::not_found,
               {"nothing.gguf"});
  expect_error(quantise(golden("llama2"), folder / "no/a.gguf", to_type("f16")),
               ErrorCode::not_found, {"no"});
  QuantiseOptions odd = to_type("int8-block");
  odd.block = 48;
  expect_error(quantise(golden("llama2"), out, odd), ErrorCode::invalid_argument, {"48", "64"});
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(Quantise, LeavesNothingWhenItIsStopped) {
  const TempFolder folder;
  for (const char* type : {"q4_0", "int8-block"}) {
    QuantiseOptions options = to_type(type);
    int calls = 0;
    options.on_progress = [&](const LoadProgress& p) {
      EXPECT_LE(p.done_bytes, p.total_bytes);
      return ++calls < 5;
    };
    expect_error(quantise(golden("llama2"), folder / "a", options), ErrorCode::io, {"stopped"});
    EXPECT_EQ(calls, 5);
    EXPECT_TRUE(fs::is_empty(folder.path())) << type;
  }
}

TEST(Quantise, LeavesNothingWhenTheDiskIsFull) {
  const TempFolder folder;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 200'000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto gguf = quantise(golden("llama2"), folder / "a.gguf", to_type("f16"));
  const auto int8 = quantise(golden("llama2"), folder / "b", to_type("int8-block"));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  expect_error(gguf, ErrorCode::io, {"a.gguf", "cannot write"});
  expect_error(int8, ErrorCode::io, {"cannot write"});
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(Quantise, NamesTheTensorWithAValueBeyondTheType) {
  const TempFolder folder;
  fs::copy(golden("llama2"), folder / "m", fs::copy_options::recursive);
  // The first two values of some matrix become the largest bf16s.
  ASSERT_OK(const auto plain, formats::open_safetensors(folder / "m"));
  const auto* tensor = plain.find("model.layers.1.mlp.up_proj.weight");
  ASSERT_NE(tensor, nullptr);
  ASSERT_OK(std::string file, read_text_file(folder / "m/model.safetensors"));
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data(), 8);
  ASSERT_OK(const auto copy, formats::parse_safetensors(formats::as_bytes(file), "copy"));
  const auto at =
      reinterpret_cast<const char*>(copy.find("model.layers.1.mlp.up_proj.weight")->bytes.data()) -
      file.data();
  file.replace(static_cast<size_t>(at), 4, "\x7f\x7f\x7f\x7f");
  fs::remove(folder / "m/model.safetensors");
  formats::TempFolder scratch;
  scratch.write("model.safetensors", file);
  fs::copy(scratch / "model.safetensors", folder / "m/model.safetensors");
  expect_error(quantise(folder / "m", folder / "a.gguf", to_type("f16")),
               ErrorCode::invalid_argument, {"blk.1.ffn_up.weight", "f16"});
  EXPECT_FALSE(file_exists(folder / "a.gguf"));
}

}  // namespace
}  // namespace handloom::convert
