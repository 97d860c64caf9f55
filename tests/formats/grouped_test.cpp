// Matrices that a safetensors file holds in parts.
#include "formats/grouped.h"

#include "formats/config.h"
#include "formats/safetensors.h"
#include "tests/formats/support.h"
#include "tests/support/grouped_writer.h"

namespace handloom::formats {
namespace {

const std::string kLlama = HANDLOOM_GOLDEN_DIR "/llama2";

float f16_at(std::span<const std::byte> bytes, size_t i) {
  uint16_t half = 0;
  std::memcpy(&half, bytes.data() + 2 * i, 2);
  return f16_to_f32(half);
}

/// All tensors of the golden are there with their shapes; `value(tensor, i)` is within
/// `max_steps(tensor, i)` of the original for those of `dtype`, which `n_quantised` are.
template <class Value, class Step>
void check_against_golden(const Checkpoint& got, DType dtype, size_t n_quantised, Value value,
                          Step allowed) {
  ASSERT_OK(const Checkpoint want, open_safetensors(kLlama));
  ASSERT_EQ(got.tensors().size(), want.tensors().size());
  size_t n = 0;
  for (const TensorInfo& original : want.tensors()) {
    ASSERT_OK(const TensorInfo* tensor, got.get(original.name));
    EXPECT_EQ(tensor->shape, original.shape);
    if (tensor->dtype != dtype) {
      EXPECT_EQ(tensor->dtype, original.dtype);
      EXPECT_TRUE(std::ranges::equal(tensor->bytes, original.bytes));
      continue;
    }
    ++n;
    ASSERT_OK(const std::vector<float> values, to_f32(original));
    size_t n_wrong = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      n_wrong += !(std::abs(value(*tensor, i) - values[i]) <= allowed(*tensor, i));
    }
    EXPECT_EQ(n_wrong, 0u) << tensor->name;
  }
  EXPECT_EQ(n, n_quantised);
}

TEST(Grouped, JoinsInt8Blocks) {
  for (const uint32_t block : {32u, 64u, 128u}) {
    SCOPED_TRACE(block);
    const TempFolder folder;
    test::write_int8_block(kLlama, folder.path(), block);
    ASSERT_OK(const Checkpoint checkpoint, open_grouped(folder.path()));
    const auto scale = [](const TensorInfo& t, size_t i) {
      float value = 0;
      std::memcpy(&value, t.scales.data() + 4 * (i / t.group), 4);
      return value;
    };
    const auto value = [&](const TensorInfo& t, size_t i) {
      EXPECT_EQ(t.scale_dtype, DType::f32);
      return static_cast<float>(static_cast<int8_t>(t.bytes[i])) * scale(t, i);
    };
    // Half a step, and the rounding of a division and of a product of up to 127 steps.
    const auto allowed = [&](const TensorInfo& t, size_t i) {
      EXPECT_EQ(t.group, block);
      return scale(t, i) * (0.5 + 3 * 127 * 0x1p-24);
    };
    // down_proj has 352 columns: blocks of 32 only.
    check_against_golden(checkpoint, DType::int8_block, block == 32 ? 16 : 14, value, allowed);
  }
}

TEST(Grouped, JoinsMlxTriples) {
  for (const uint32_t group : {32u, 64u, 128u}) {
    SCOPED_TRACE(group);
    const TempFolder folder;
    test::write_mlx(kLlama, folder.path(), group);
    ASSERT_OK(const Config config, load_config(folder.path()));  // "quantization" does not disturb
    ASSERT_OK(const Checkpoint checkpoint, open_grouped(folder.path()));
    const auto value = [](const TensorInfo& t, size_t i) {
      const auto byte = std::to_integer<uint32_t>(t.bytes[i / 2]);
      const uint32_t code = i % 2 == 0 ? byte & 15 : byte >> 4;
      return f16_at(t.scales, i / t.group) * static_cast<float>(code) +
             f16_at(t.biases, i / t.group);
    };
    // Half a step; f16 may have rounded the scale, 15 times, and the bias, so that the ends of the
    // range lie beyond the codes.
    const auto allowed = [&](const TensorInfo& t, size_t i) {
      EXPECT_EQ(t.group, group);
      EXPECT_EQ(t.scale_dtype, DType::f16);
      const float scale = f16_at(t.scales, i / t.group), bias = f16_at(t.biases, i / t.group);
      return scale * (0.5 + 15 * 0x1p-11) + std::abs(bias) * 0x1p-11 + 0x1p-24;
    };
    check_against_golden(checkpoint, DType::mlx_q4, group == 32 ? 16 : 14, value, allowed);
  }
}

TEST(Grouped, LeavesPlainCheckpointsAlone) {
  ASSERT_OK(const Checkpoint plain, open_safetensors(kLlama));
  ASSERT_OK(const Checkpoint same, open_grouped(kLlama));
  ASSERT_OK(const Checkpoint file, open_grouped(kLlama + "/model.safetensors"));
  EXPECT_EQ(same.tensors().size(), plain.tensors().size());
  EXPECT_EQ(file.tensors().size(), plain.tensors().size());
  EXPECT_EQ(same.where(), plain.where());
}

TEST(Grouped, ReadsMlxQuantization) {
  const auto parse = [](std::string_view json) { return parse_mlx_quantization(json, "c"); };
  ASSERT_OK(const auto none, parse("{}"));
  EXPECT_FALSE(none.has_value());
  ASSERT_OK(const auto mlx, parse(R"({"quantization": {"group_size": 64, "bits": 4,
      "mode": "affine", "a.gate": {"group_size": 32, "bits": 8}, "b": false, "c": {}}})"));
  EXPECT_EQ(mlx->group_of("x"), 64u);
  EXPECT_EQ(mlx->group_of("a.gate"), 32u);
  EXPECT_EQ(mlx->group_of("c"), 64u);
  constexpr auto bad = ErrorCode::bad_format, other = ErrorCode::unsupported;
  expect_error(parse("x"), bad, {"c: is not valid JSON"});
  expect_error(parse(R"({"quantization": 4})"), bad, {"'quantization' is 4, expected an object"});
  expect_error(parse(R"({"quantization": {"group_size": 64}})"), bad, {"'bits' is missing"});
  expect_error(parse(R"({"quantization": {"bits": 4}})"), bad, {"'group_size' is missing"});
  for (const int bits : {2, 3, 8}) {
    expect_error(
        parse(fmt::format(R"({{"quantization": {{"group_size": 64, "bits": {}}}}})", bits)), other,
        {fmt::format("c: quantization: 'bits' is {}, only 4 is supported", bits)});
  }
  expect_error(parse(R"({"quantization": {"group_size": 48, "bits": 4}})"), other,
               {"'group_size' is 48, only 32, 64 and 128 are supported"});
  expect_error(parse(R"({"quantization": {"mode": "mxfp4", "bits": 4}})"), other,
               {"'mode' is 'mxfp4', only affine is supported"});
}

TEST(Grouped, OtherQuantizationConfigsStayRefused) {
  Json config = test::read_json(kLlama + "/config.json");
  config["quantization"] = {{"group_size", 64}, {"bits", 4}};
  EXPECT_TRUE(parse_config(config.dump(), "c").has_value());
  config["quantization_config"] = config["quantization"];
  EXPECT_TRUE(parse_config(config.dump(), "c").has_value());
  config["quantization_config"]["quant_method"] = "gptq";
  expect_error(parse_config(config.dump(), "c"), ErrorCode::unsupported,
               {"c: 'quantization_config' is an object, only null is supported"});
}

/// Tensors of zeros, joined.
struct Part {
  std::string name;
  DType dtype;
  Shape shape;
};

Result<Checkpoint> join(const std::vector<Part>& parts, uint32_t group = 64, bool config = true) {
  static const std::vector<std::byte> zeros(1 << 16);
  std::vector<TensorInfo> tensors;
  for (const Part& part : parts) {
    const size_t size = part.shape.count() * dtype_bytes(part.dtype);
    tensors.push_back({part.name, part.dtype, part.shape, std::span(zeros).first(size)});
  }
  auto plain = Checkpoint::from("f", {}, std::move(tensors));
  if (!config) return join_grouped(*std::move(plain), std::nullopt);
  return join_grouped(*std::move(plain), MlxQuantization{.group = group});
}

TEST(Grouped, RefusesMlxPartsThatDoNotFit) {
  constexpr auto bad = ErrorCode::bad_format, other = ErrorCode::unsupported;
  const Part w{"a.weight", DType::u32, {2, 16}}, s{"a.scales", DType::f16, {2, 2}},
      b{"a.biases", DType::f16, {2, 2}};
  const auto with = [](Part part, DType dtype, Shape shape) {
    part.dtype = dtype;
    part.shape = shape;
    return part;
  };
  ASSERT_OK(const Checkpoint good, join({w, s, b}));
  EXPECT_EQ(good.get("a.weight").value()->shape, Shape({2, 128}));
  ASSERT_OK(const Checkpoint experts,
            join({with(w, DType::u32, {3, 2, 16}), with(s, DType::bf16, {3, 2, 2}),
                  with(b, DType::bf16, {3, 2, 2})}));
  EXPECT_EQ(experts.tensors()[0].shape, Shape({3, 2, 128}));
  expect_error(join({w, s}), bad, {"'a.scales' is there without 'a.biases'"});
  expect_error(join({s, b}), bad, {"'a.scales' is there without 'a.weight'"});
  expect_error(join({w, b}), bad, {"'a.biases' is there without 'a.scales'"});
  expect_error(join({w, s, b}, 64, false), bad,
               {"'a.scales' is MLX's", "'quantization' is missing"});
  expect_error(join({w, s, b}, 32), other, {"f: tensor 'a.weight' has 512 bits for 64 values"});
  expect_error(join({with(w, DType::u32, {2, 12}), s, b}), other, {"has 384 bits for 128 values"});
  expect_error(join({with(w, DType::u32, {2, 15}), s, b}), bad, {"has 480 bits for 128 values"});
  expect_error(join({with(w, DType::u32, {2, 0}), s, b}), other, {"has 0 bits for 128 values"});
  expect_error(join({w, with(s, DType::f16, {2, 0}), with(b, DType::f16, {2, 0})}), bad,
               {"has 512 bits for 0 values"});
  for (const Part& codes : {with(w, DType::i32, {2, 16}), with(w, DType::u32, {3, 16}),
                            with(w, DType::u32, {32}), with(w, DType::u32, {2, 16, 1})}) {
    expect_error(join({codes, s, b}), bad, {"beside scales f16 [2, 2] and biases f16 [2, 2]"});
  }
  expect_error(join({w, with(s, DType::f32, {2, 2}), b}), bad,
               {"scales f32 [2, 2] and biases f16"});
  expect_error(join({w, s, with(b, DType::f16, {2, 1})}), bad, {"biases f16 [2, 1]"});
  expect_error(join({w, with(s, DType::u8, {2, 2}), with(b, DType::u8, {2, 2})}), bad,
               {"scales u8"});
  expect_error(
      join({with(w, DType::u32, {16}), with(s, DType::f16, {2}), with(b, DType::f16, {2})}), bad,
      {"scales f16 [2]"});
}

TEST(Grouped, RefusesInt8PartsThatDoNotFit) {
  constexpr auto bad = ErrorCode::bad_format;
  const Part q{"a.weight_q", DType::i8, {2, 128}};
  const auto scale = [](DType dtype, Shape shape) { return Part{"a.weight_scale", dtype, shape}; };
  ASSERT_OK(const Checkpoint good, join({q, scale(DType::f32, {2, 1})}));
  EXPECT_EQ(good.get("a.weight").value()->group, 128u);
  ASSERT_OK(const Checkpoint apart, join({scale(DType::f32, {2, 1})}));
  EXPECT_EQ(apart.tensors().size(), 1u);
  expect_error(join({q}), bad, {"f: tensor 'a.weight_q' is there without 'a.weight_scale'"});
  for (const Part& wrong :
       {scale(DType::f16, {2, 1}), scale(DType::f32, {2, 3}), scale(DType::f32, {2, 8}),
        scale(DType::f32, {2, 0}), scale(DType::f32, {1, 4}), scale(DType::f32, {4}),
        scale(DType::f32, {2, 256}), scale(DType::f32, {})}) {
    expect_error(join({q, wrong}), bad,
                 {"tensor 'a.weight_scale' is", "expected an f32 for each 32, 64 or 128 columns"});
  }
  expect_error(join({q, scale(DType::f32, {2, 1}), {"a.weight", DType::f16, {1}}}), bad,
               {"tensor 'a.weight' is there twice"});
}

TEST(Grouped, RefusesAwqAndGptqByName) {
  for (const std::string name : {"a.qweight", "a.qzeros", "a.g_idx"}) {
    expect_error(join({{name, DType::i32, {2, 2}}}), ErrorCode::unsupported,
                 {"f: tensor '" + name + "' is AWQ's or GPTQ's"});
  }
}

}  // namespace
}  // namespace handloom::formats
