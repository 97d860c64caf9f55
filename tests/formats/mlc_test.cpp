// MLC folders: written from the goldens in each quantisation, and damaged in every way.
#include "formats/mlc.h"

#include "formats/mlc_names.h"
#include "formats/repack.h"
#include "formats/tensor_names.h"
#include "tests/formats/support.h"
#include "tests/support/mlc_writer.h"

namespace handloom::formats {
namespace {

using test::MlcMatrix;
using test::MlcOptions;

std::string golden(const std::string& model) {
  return model == "starter" ? HANDLOOM_STARTER_DIR : HANDLOOM_GOLDEN_DIR "/" + model;
}

std::vector<float> floats(std::span<const std::byte> bytes, DType dtype, size_t n) {
  std::vector<uint32_t> dims = {static_cast<uint32_t>(n)};
  return *to_f32({.name = "scales", .dtype = dtype, .shape = Shape(dims), .bytes = bytes});
}

/// The parts of a joined tensor, as the writer knows them.
MlcMatrix matrix_of(const TensorInfo& tensor) {
  MlcMatrix m{.rows = tensor.shape.dim(0),
              .columns = tensor.shape.dim(1),
              .bits = tensor.dtype == DType::mlc_q3 ? 3u : 4u};
  EXPECT_EQ(tensor.group, m.group());
  m.words.resize(tensor.bytes.size() / 4);
  std::memcpy(m.words.data(), tensor.bytes.data(), tensor.bytes.size());
  EXPECT_EQ(m.words.size(), size_t{m.rows} * m.n_groups() * 4);
  const size_t n_scales = size_t{m.rows} * m.n_groups();
  EXPECT_EQ(tensor.scales.size(), n_scales * dtype_bytes(tensor.scale_dtype));
  m.scales = floats(tensor.scales, tensor.scale_dtype, n_scales);
  return m;
}

/// Every value is within half a step of the original: the encoder's, up to the scale's rounding.
/// A scale rounded down leaves the largest value beyond the last code by 7 or 3 times as much.
void expect_near(const TensorInfo& tensor, std::span<const float> original) {
  const MlcMatrix m = matrix_of(tensor);
  ASSERT_EQ(original.size(), size_t{m.rows} * m.columns);
  const double rounding = tensor.scale_dtype == DType::bf16 ? 0x1p-8 : 0x1p-11;
  size_t n_wrong = 0;
  for (uint32_t row = 0; row < m.rows; ++row) {
    for (uint32_t c = 0; c < m.columns; ++c) {
      const double step = m.scales[row * m.n_groups() + c / m.group()];
      const double off = std::abs(double{m.value(row, c)} - original[size_t{row} * m.columns + c]);
      n_wrong += !(off <= step * (0.5 + 7 * rounding) + 0x1p-20 * step);
    }
  }
  EXPECT_EQ(n_wrong, 0u) << tensor.name;
}

/// Each tensor of the golden is there under one of its MLC names, with its shape and values.
void check_folder(const std::string& model, const MlcOptions& options) {
  SCOPED_TRACE(model + " " + options.quantization + (options.phi3_names ? " phi3" : ""));
  const TempFolder folder;
  test::write_mlc(golden(model), folder.path(), options);
  ASSERT_OK(const Checkpoint checkpoint, open_mlc(folder.path()));
  EXPECT_EQ(checkpoint.where(), folder / options.index);
  ASSERT_OK(const MlcConfig mlc, load_mlc_config(folder.path()));
  ASSERT_OK(const Checkpoint plain, open_safetensors(golden(model)));
  const bool gemma = mlc.config.gemma_norms;
  const bool quantised = options.quantization != "q0f16";
  const auto fused = test::fused_tensors(plain, mlc.config.architecture != "gemma3_text");
  EXPECT_EQ(checkpoint.tensors().size(), fused.size());
  for (const test::Values& tensor : fused) {
    const std::string name =
        test::mlc_name(tensor.name, mlc.config.architecture, options.phi3_names);
    ASSERT_OK(const TensorInfo* found, checkpoint.get(name));
    EXPECT_EQ(found->shape, Shape(tensor.shape)) << name;
    if (quantised && tensor.shape.size() == 2) {
      const DType dtype = options.quantization == "q4f16_1"   ? DType::mlc_q4
                          : options.quantization == "q3f16_1" ? DType::mlc_q3
                                                              : DType::mlc_q4f32;
      EXPECT_EQ(found->dtype, dtype);
      expect_near(*found, tensor.values);
      continue;
    }
    // The goldens hold bf16 of moderate size, which f16 and f32 hold exactly, but for the smallest.
    ASSERT_OK(const std::vector<float> values, to_f32(*found));
    for (size_t i = 0; i < values.size(); ++i) {
      const float want = tensor.values[i] + (gemma && tensor.shape.size() == 1 ? 1.0f : 0.0f);
      ASSERT_NEAR(values[i], want, 0x1p-8 * std::abs(want) + 0x1p-24) << name << " " << i;
    }
  }
}

TEST(Mlc, ReadsEveryQuantisationOfTheGoldens) {
  for (const std::string model : {"llama2", "qwen3", "starter"}) {
    for (const std::string quantization : {"q0f16", "q4f16_1", "q4f32_1", "q3f16_1"}) {
      check_folder(model, {.quantization = quantization});
    }
  }
}

TEST(Mlc, ReadsBothSchemesOfNames) {
  for (const std::string quantization : {"q0f16", "q4f16_1", "q3f16_1"}) {
    check_folder("phi3", {.quantization = quantization, .phi3_names = true});
  }
  check_folder("phi3", {.quantization = "q4f16_1"});
}

TEST(Mlc, ReadsTheOtherFamilies) {
  for (const std::string model : {"llama3.2", "mistral-swa", "qwen2", "gemma2", "gemma3"}) {
    check_folder(model, {.quantization = "q4f16_1"});
  }
}

TEST(Mlc, ReadsBothFormsAndNamesOfTheIndexAndRawFloats) {
  check_folder("llama2", {.quantization = "q4f16_1", .flat = true, .index = "ndarray-cache.json"});
  check_folder("llama2", {.quantization = "q4f32_1", .f32_to_bf16 = false});
  check_folder("llama2", {.quantization = "q4f16_1", .shard_bytes = 1});
  check_folder("llama2", {.quantization = "q4f16_1", .shard_bytes = 100'000'000});
}

TEST(Mlc, PrefersTheNewerIndexAndIgnoresTheBf16One) {
  const TempFolder folder;
  test::write_mlc(golden("llama2"), folder.path(), {.index = "tensor-cache.json"});
  folder.write("ndarray-cache.json", "not JSON");
  folder.write("tensor-cache-b16.json", "not JSON");
  ASSERT_OK(const Checkpoint checkpoint, open_mlc(folder.path()));
  EXPECT_EQ(checkpoint.where(), folder / "tensor-cache.json");
}

/// Every tensor that the weights' loader asks for is found by its canonical name.
TEST(Mlc, CanonicalNamesFindTheirTensors) {
  struct Case {
    std::string model, ours;
    bool phi3_names = false;
    Shape shape;
  };
  for (const Case& c : {
           Case{"phi3", "token_embd.weight", true, {605, 192}},
           Case{"phi3", "blk.1.attn_norm.weight", true, {192}},
           Case{"phi3", "blk.1.attn_qkv.weight", true, {576, 192}},
           Case{"phi3", "blk.1.attn_output.weight", true, {192, 192}},
           Case{"phi3", "blk.1.ffn_norm.weight", true, {192}},
           Case{"phi3", "blk.1.ffn_gate_up.weight", true, {704, 192}},
           Case{"phi3", "blk.1.ffn_down.weight", true, {192, 352}},
           Case{"phi3", "output_norm.weight", true, {192}},
           Case{"phi3", "output.weight", true, {605, 192}},
           Case{"qwen3", "blk.0.attn_qkv.weight", false, {512, 128}},
           Case{"qwen3", "blk.0.attn_q_norm.weight", false, {64}},
           Case{"qwen3", "blk.0.attn_k_norm.weight", false, {64}},
           Case{"qwen2", "blk.0.attn_qkv.bias", false, {256}},
           Case{"gemma3", "blk.2.attn_k.weight", false, {64, 128}},
           Case{"gemma3", "blk.2.post_attn_norm.weight", false, {128}},
           Case{"gemma3", "blk.2.post_ffn_norm.weight", false, {128}},
           Case{"gemma3", "token_embd.weight", false, {602, 128}},
       }) {
    SCOPED_TRACE(c.model + " " + c.ours);
    const TempFolder folder;
    test::write_mlc(golden(c.model), folder.path(), {.phi3_names = c.phi3_names});
    ASSERT_OK(const Checkpoint checkpoint, open_mlc(folder.path()));
    const TensorInfo* found = nullptr;
    for (const std::string& name : names_in_file(Naming::mlc, c.ours)) {
      if (found == nullptr) found = checkpoint.find(name);
    }
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->shape, c.shape);
  }
}

TEST(Mlc, NamesAreOrderedAndEmptyForWhatMlcLacks) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(mlc_names("blk.7.ffn_norm.weight"),
            (Names{"language_model.model.layers.7.pre_feedforward_layernorm.weight",
                   "language_model.model.layers.7.post_attention_layernorm.weight",
                   "transformer.h.7.post_attention_layernorm.weight",
                   "model.layers.7.pre_feedforward_layernorm.weight",
                   "model.layers.7.post_attention_layernorm.weight"}));
  EXPECT_EQ(mlc_names("output.weight").back(), "lm_head.weight");
  EXPECT_EQ(mlc_names("blk.0.attn_qkv.weight").back(), "model.layers.0.self_attn.qkv_proj.weight");
  EXPECT_EQ(mlc_names("blk.0.experts.down.weight").back(),
            "model.layers.0.mlp.moe_down_proj.weight");
  for (const std::string_view ours :
       {"", "blk.", "blk.0", "blk.0.", "blk.0.ffn_gate.weight", "x"}) {
    EXPECT_TRUE(mlc_names(ours).empty()) << ours;
  }
}

/// The scales of q4f32_1 as the GPU gets them, in both of their forms.
TEST(Mlc, RepacksScalesOfEitherWidth) {
  for (const bool bf16 : {true, false}) {
    const TempFolder folder;
    test::write_mlc(golden("llama2"), folder.path(),
                    {.quantization = "q4f32_1", .f32_to_bf16 = bf16});
    ASSERT_OK(const Checkpoint checkpoint, open_mlc(folder.path()));
    ASSERT_OK(const TensorInfo* tensor, checkpoint.get("lm_head.weight"));
    EXPECT_EQ(tensor->scale_dtype, bf16 ? DType::bf16 : DType::f32);
    const MlcMatrix m = matrix_of(*tensor);
    const PlaneLayout layout = plane_layout(DType::mlc_q4f32, m.rows, m.columns, m.group());
    std::vector<uint32_t> codes(layout.words(Plane::codes)), scales(layout.words(Plane::scales));
    ASSERT_EQ(scales.size(), m.n_groups());
    const uint32_t row = m.rows - 1;
    ASSERT_DONE(repack_row(*tensor, row, layout, {codes.data(), scales.data()}));
    for (uint32_t g = 0; g < m.n_groups(); ++g) {
      EXPECT_EQ(std::bit_cast<float>(scales[g]), m.scales[row * m.n_groups() + g]);
    }
  }
}

// --- What is refused

TEST(Mlc, RefusesDamagedFolders) {
  const TempFolder folder;
  const auto rewrite = [&] {
    test::write_mlc(golden("llama2"), folder.path(), {.shard_bytes = 50'000});
  };
  rewrite();
  const std::string shard = folder / "params_shard_1.bin";
  const std::string whole = *read_text_file(shard);

  std::string changed = whole;
  changed[changed.size() / 2] ^= 1;
  folder.write("params_shard_1.bin", changed);
  expect_error(open_mlc(folder.path()), ErrorCode::bad_format,
               {shard, "has md5 sum " + md5_hex(as_bytes(changed)),
                "expected " + md5_hex(as_bytes(whole)), "fetch it again"});
  folder.write("params_shard_1.bin", whole.substr(1));
  expect_error(open_mlc(folder.path()), ErrorCode::bad_format,
               {shard, fmt::format("is {} bytes, expected {}", whole.size() - 1, whole.size())});
  folder.write("params_shard_1.bin", "");
  expect_error(open_mlc(folder.path()), ErrorCode::bad_format, {shard, "is 0 bytes"});
  std::filesystem::remove(shard);
  expect_error(open_mlc(folder.path()), ErrorCode::not_found,
               {"tensor-cache.json: names shard 'params_shard_1.bin', which is missing"});

  rewrite();
  std::filesystem::remove(folder / "tensor-cache.json");
  expect_error(open_mlc(folder.path()), ErrorCode::not_found,
               {folder.path(), "holds neither tensor-cache.json nor ndarray-cache.json"});
  std::filesystem::remove(folder / "mlc-chat-config.json");
  expect_error(open_mlc(folder.path()), ErrorCode::not_found, {"mlc-chat-config.json"});
}

constexpr std::string_view kMd5 = "0123456789abcdef0123456789ABCDEF";

std::string record(std::string_view name, std::string_view dtype, std::string_view shape,
                   uint64_t n_bytes, uint64_t offset, std::string_view format = "f32-to-bf16") {
  return fmt::format(
      R"({{"name":"{}","dtype":"{}","shape":{},"nbytes":{},"byteOffset":{},"format":"{}"}})", name,
      dtype, shape, n_bytes, offset, format);
}

std::string shard(std::string_view records, uint64_t n_bytes = 64,
                  std::string_view file = "s.bin") {
  return fmt::format(
      R"({{"dataPath":"{}","format":"raw-shard","nbytes":{},"md5sum":"{}","records":[{}]}})", file,
      n_bytes, kMd5, records);
}

std::string index_of(std::string_view records) {
  return fmt::format(R"({{"metadata":{{"ParamSize":1}},"records":[{}]}})", records);
}

TEST(Mlc, ReadsAnIndex) {
  const std::string json = index_of(
      shard(record("b", "float32", "[3]", 6, 10) + "," + record("a", "uint32", "[2]", 8, 0)) + "," +
      shard(record("c", "float32", "[1]", 4, 60, "raw") + "," +
                record("d", "bfloat16", "[2,2]", 8, 0, "raw"),
            64, "sub/t.bin"));
  ASSERT_OK(const std::vector<MlcShard> shards, parse_mlc_index(json, "i"));
  ASSERT_EQ(shards.size(), 2u);
  EXPECT_EQ(shards[0].file, "s.bin");
  EXPECT_EQ(shards[0].n_bytes, 64u);
  EXPECT_EQ(shards[0].md5, "0123456789abcdef0123456789abcdef");
  ASSERT_EQ(shards[0].records.size(), 2u);
  EXPECT_EQ(shards[0].records[0].name, "a");
  EXPECT_EQ(shards[0].records[0].dtype, DType::u32);  // whatever the format says
  EXPECT_EQ(shards[0].records[1].dtype, DType::bf16);
  EXPECT_EQ(shards[0].records[1].offset, 10u);
  EXPECT_EQ(shards[1].file, "sub/t.bin");
  EXPECT_EQ(shards[1].records[0].shape, Shape({2, 2}));
  EXPECT_EQ(shards[1].records[1].dtype, DType::f32);
}

TEST(Mlc, RefusesHostileIndexes) {
  constexpr auto bad = ErrorCode::bad_format, other = ErrorCode::unsupported;
  struct Refusal {
    std::string json;
    ErrorCode code;
    std::string fragment;
  };
  const auto in_shard = [](const std::string& records) { return index_of(shard(records)); };
  const std::string f16 = record("a", "float16", "[2]", 4, 0);
  const std::string huge = "[4294967295,4294967295,4294967295,4294967295]";
  const auto edited = [](std::string json, std::string_view from, std::string_view to) {
    json.replace(json.find(from), from.size(), to);
    return json;
  };
  for (const auto& [json, code, fragment] : std::vector<Refusal>{
           {"", bad, "is not valid JSON (0 bytes)"},
           {"[]", bad, "is an array of 0, expected an object"},
           {"{}", bad, "'records' is missing, expected an array"},
           {R"({"records":{}})", bad, "'records' is an object, expected an array"},
           {index_of(""), bad, "lists no tensors"},
           {in_shard(""), bad, "lists no tensors"},
           {index_of("7"), bad, "records[0]: is 7, expected an object"},
           {index_of("{}"), bad, "records[0]: 'dataPath' is missing"},
           {in_shard("{}"), bad, "'name' is missing"},
           {in_shard("3"), bad, "is 3, expected an object"},
           {in_shard(record("a", "uint16", "[2]", 4, 0)), other,
            "tensor 'a': has type 'uint16', which is not supported (supported: float32"},
           {in_shard(record("a", "float8_e4m3fn", "[2]", 2, 0)), other, "type 'float8_e4m3fn'"},
           {in_shard(record("a", "float16", "[2]", 4, 0, "zip")), other,
            "has format 'zip', which is not supported (supported: raw, f32-to-bf16)"},
           {in_shard(record("a", "float16", "[2]", 5, 0)), bad, "has 5 bytes, expected 4"},
           {in_shard(record("a", "float32", "[2]", 8, 0)), bad, "has 8 bytes, expected 4"},
           {in_shard(record("a", "float32", "[2]", 4, 0, "raw")), bad, "has 4 bytes, expected 8"},
           {in_shard(record("a", "float16", "[-1]", 4, 0)), bad, "'shape' holds -1"},
           {in_shard(record("a", "float16", "7", 4, 0)), bad, "'shape' is 7, expected an array"},
           {in_shard(record("a", "float16", huge, 4, 0)), bad, "expected more than any file has"},
           {in_shard(record("a", "float16", "[1,1,1,1,2]", 4, 0)), other, "has 5 dimensions"},
           {in_shard(record("a", "float16", "[4294967296]", 4, 0)), other,
            "a dimension of 4294967296"},
           {in_shard(record("a", "float16", "[2]", 4, 61)), bad,
            "tensor 'a' ends at byte 65, expected at most 64, the bytes of 's.bin'"},
           {in_shard(record("a", "float16", "[2]", 4, ~0ull)), bad,
            "'byteOffset' is 18446744073709"},
           {in_shard(record("a", "float16", "[2]", 4, ~0ull >> 1)), bad,
            "ends at byte 922337203685477581"},
           {in_shard(f16 + "," + record("b", "float16", "[2]", 4, 3)), bad,
            "tensor 'b' begins at byte 3 of 's.bin', inside tensor 'a', which ends at 4"},
           {in_shard(edited(f16, "\"byteOffset\":0", "\"byteOffset\":-1")), bad,
            "'byteOffset' is -1"},
           {in_shard(edited(f16, "\"name\":\"a\"", "\"name\":7")), bad, "'name' is 7"},
           {in_shard(edited(f16, "\"dtype\":\"float16\"", "\"dtype\":null")), bad,
            "'dtype' is missing"},
           {in_shard(record("param_12", "float16", "[2]", 4, 0)), other,
            "tensor 'param_12', a number for a name"},
           {index_of(shard(f16) + "," + shard(f16)), bad, "records[1]: 's.bin' is there twice"},
           {index_of(shard(f16, 64, "../s.bin")), bad,
            "'dataPath' is '../s.bin', expected a file in"},
           {index_of(shard(f16, 64, "/s.bin")), bad, "'dataPath' is '/s.bin'"},
           {index_of(shard(f16, 64, "a//b")), bad, "'dataPath' is 'a//b'"},
           {index_of(shard(f16, 64, "a/")), bad, "'dataPath' is 'a/'"},
           {index_of(shard(f16, 64, "")), bad, "'dataPath' is ''"},
           {index_of(shard(f16, 64, "a\\\\b")), bad, "'dataPath' is 'a\\b'"},
           {index_of(shard(f16, 64, "a\\u0000b")), bad, "'dataPath' is 'a?b'"},
           {index_of(edited(shard(f16), "raw-shard", "zip")), other,
            "has format 'zip', only raw-shard"},
           {index_of(edited(shard(f16), "\"nbytes\":64", "\"nbytes\":\"64\"")), bad,
            "'nbytes' is \"64\""},
           {index_of(edited(shard(f16), kMd5, "0123")), bad,
            "'md5sum' is '0123', expected 32 hexa"},
           {index_of(edited(shard(f16), kMd5, std::string(32, 'g'))), bad, "'md5sum' is 'gggg"},
           {index_of(edited(shard(f16), "\"records\":[", "\"records\":7,\"x\":[")), bad,
            "records[0]: 'records' is 7"},
       }) {
    SCOPED_TRACE(json);
    expect_error(parse_mlc_index(json, "i"), code, {"i: ", fragment});
  }
}

TEST(Mlc, FlatRecordsShareFiles) {
  const auto flat = [](std::string json, std::string_view more) { return json.insert(1, more); };
  const std::string a = flat(record("a", "float16", "[2]", 4, 0), R"("dataPath":"p.bin",)");
  const std::string b = flat(record("b", "float16", "[2]", 4, 8), R"("dataPath":"p.bin",)");
  ASSERT_OK(const std::vector<MlcShard> shards, parse_mlc_index(index_of(a + "," + b), "i"));
  ASSERT_EQ(shards.size(), 1u);
  EXPECT_EQ(shards[0].n_bytes, 12u);
  EXPECT_EQ(shards[0].records.size(), 2u);
  EXPECT_TRUE(shards[0].md5.empty());
  const std::string summed = flat(b, fmt::format(R"("md5sum":"{}",)", kMd5));
  expect_error(parse_mlc_index(index_of(a + "," + summed), "i"), ErrorCode::bad_format,
               {"gives two md5 sums for 'p.bin'"});
  expect_error(parse_mlc_index(index_of(a + "," + shard(b, 64, "p.bin")), "i"),
               ErrorCode::bad_format, {"'p.bin' is there twice"});
}

/// A q_weight and a q_scale of these types and shapes, with the bytes that they need.
struct Parts {
  DType codes = DType::u32, scales = DType::f16;
  Shape code_shape = {2, 12}, scale_shape = {2, 3};
};

Result<std::vector<TensorInfo>> join(const Parts& parts, std::string_view quantization,
                                     const std::string& base = "x.down_proj") {
  static const std::vector<std::byte> zeros(1 << 16);
  MlcConfig mlc;
  mlc.config.model_dim = 64;
  mlc.config.ffn_dim = 90;
  for (const auto q : {MlcQuantization::q0f16, MlcQuantization::q3f16_1, MlcQuantization::q4f16_1,
                       MlcQuantization::q4f32_1}) {
    if (to_string(q) == quantization) mlc.quantization = q;
  }
  const auto bytes = [&](DType dtype, const Shape& shape) {
    return std::span(zeros).first(shape.count() * dtype_bytes(dtype));
  };
  return join_mlc({{.name = base + ".q_scale",
                    .dtype = parts.scales,
                    .shape = parts.scale_shape,
                    .bytes = bytes(parts.scales, parts.scale_shape)},
                   {.name = base + ".q_weight",
                    .dtype = parts.codes,
                    .shape = parts.code_shape,
                    .bytes = bytes(parts.codes, parts.code_shape)}},
                  mlc, "i");
}

TEST(Mlc, JoinedShapesFollowTheConfiguration) {
  const auto shape_of = [](const Parts& parts, std::string_view quantization,
                           const std::string& base) {
    const auto joined = join(parts, quantization, base);
    return joined && joined->size() == 1 ? (*joined)[0].shape : Shape();
  };
  // 3 groups hold the 90 columns of a down_proj with 32 or 40 to each, but not 64 of model_dim.
  EXPECT_EQ(shape_of({}, "q4f16_1", "x.down_proj"), Shape({2, 90}));
  EXPECT_EQ(shape_of({}, "q3f16_1", "x.down_proj"), Shape({2, 90}));
  EXPECT_EQ(shape_of({}, "q4f16_1", "x.gate_up_proj"), Shape({2, 96}));
  EXPECT_EQ(shape_of({}, "q3f16_1", "lm_head"), Shape({2, 120}));
  EXPECT_EQ(shape_of({.code_shape = {2, 8}, .scale_shape = {2, 2}}, "q3f16_1", "lm_head"),
            Shape({2, 64}));
  EXPECT_EQ(shape_of({.code_shape = {5, 2, 8}, .scale_shape = {5, 2, 2}}, "q4f16_1", "e"),
            Shape({5, 2, 64}));
}

TEST(Mlc, RefusesPartsThatDoNotFit) {
  constexpr auto bad = ErrorCode::bad_format;
  expect_error(join({}, "q0f16"), bad,
               {"i: tensor 'x.down_proj.q_weight' is quantised, expected none", "is q0f16"});
  expect_error(join({.codes = DType::i32}, "q4f16_1"), bad, {"is i32 [2, 12], expected u32"});
  expect_error(join({.scales = DType::f32}, "q4f16_1"), bad,
               {"tensor 'x.down_proj.q_scale' is f32, expected f16 for mlc_q4"});
  expect_error(join({.scales = DType::bf16}, "q3f16_1"), bad, {"is bf16, expected f16 for mlc_q3"});
  expect_error(join({}, "q4f32_1"), bad, {"is f16, expected f32 or bf16 for mlc_q4f32"});
  for (const Shape& codes : {Shape{3, 12}, Shape{2, 11}, Shape{24}, Shape{2, 12, 1}, Shape{}}) {
    expect_error(join({.code_shape = codes}, "q4f16_1"), bad, {"4 words for each scale of [2, 3]"});
  }
  expect_error(join({.code_shape = {12}, .scale_shape = {3}}, "q4f16_1"), bad,
               {"4 words for each"});
  const TensorInfo alone{.name = "a.q_weight", .dtype = DType::u32, .shape = {1, 4}};
  expect_error(join_mlc({alone}, {}, "i"), bad, {"'a.q_weight' is there without 'a.q_scale'"});
  const TensorInfo scale{.name = "a.q_scale", .dtype = DType::f16, .shape = {1, 1}};
  expect_error(join_mlc({scale}, {}, "i"), bad, {"'a.q_scale' is there without 'a.q_weight'"});
}

}  // namespace
}  // namespace handloom::formats
